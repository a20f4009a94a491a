"""Pairs of sentences to logits, as a searched BERT on RTE is asked: `{"inputs": [["one", "two"]]}`.

Each pair keeps its attention mask and its token types, and pairs are padded to the longest of them, not to 512 tokens.
"""

from typing import Any

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MAX_TOKENS = 128

Model = tuple[Any, torch.nn.Module]


def model_fn(model_dir: str) -> Model:
    model = AutoModelForSequenceClassification.from_pretrained(model_dir).to(DEVICE).eval()
    return AutoTokenizer.from_pretrained(model_dir), model


def predict_fn(data: dict[str, Any], model: Model) -> dict[str, torch.Tensor]:
    tokenizer, network = model
    first, second = zip(*data["inputs"], strict=True)
    tokens = tokenizer(
        list(first), list(second), padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    with torch.inference_mode():
        return {"logits": network(**tokens.to(DEVICE)).logits}
