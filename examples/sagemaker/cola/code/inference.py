"""BERT on CoLA as a SageMaker script: a checkpoint beside `code/`, JSON texts in, logits out."""

import json
from functools import cache
from typing import Any

import torch
from transformers import AutoTokenizer, BertForSequenceClassification

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MAX_TOKENS = 64


@cache
def tokenizer_of(model_dir: str) -> Any:
    return AutoTokenizer.from_pretrained(model_dir)


def model_fn(model_dir: str) -> torch.nn.Module:
    return BertForSequenceClassification.from_pretrained(model_dir).to(DEVICE).eval()


def input_fn(body: str, content_type: str, context: Any) -> dict[str, torch.Tensor]:
    """`"one text"`, `["several", "texts"]` or `{"inputs": either}`, padded to the longest of them."""
    if content_type != "application/json":
        raise ValueError(f"send application/json, not {content_type}")
    payload = json.loads(body)
    texts = payload["inputs"] if isinstance(payload, dict) else payload
    tokenizer = tokenizer_of(context.system_properties["model_dir"])
    texts = [texts] if isinstance(texts, str) else texts
    return tokenizer(texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt").to(DEVICE)


def predict_fn(tokens: dict[str, torch.Tensor], model: torch.nn.Module) -> torch.Tensor:
    """Logits (texts, labels): a tensor, which the default `output_fn` writes."""
    with torch.inference_mode():
        return model(**tokens).logits
