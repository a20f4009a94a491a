"""The twin of `cola` on TorchScript: `model.pt` and `tokenizer.json` beside `code/`; no transformers to serve it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

MAX_TOKENS = 64


@cache
def tokenizer_of(model_dir: str) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(Path(model_dir) / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


def model_fn(model_dir: str) -> torch.jit.ScriptModule:
    return torch.jit.load(Path(model_dir) / "model.pt", map_location="cpu").eval()


def input_fn(body: str, content_type: str, context: Any) -> tuple[torch.Tensor, ...]:
    """`["texts"]` or `{"inputs": ["texts"]}` as token ids, attention mask and token types, each (texts, tokens)."""
    if content_type != "application/json":
        raise ValueError(f"send application/json, not {content_type}")
    payload = json.loads(body)
    texts = payload["inputs"] if isinstance(payload, dict) else payload
    tokenizer = tokenizer_of(context.system_properties["model_dir"])
    rows = tokenizer.encode_batch([texts] if isinstance(texts, str) else texts)
    return tuple(torch.tensor([getattr(row, name) for row in rows]) for name in ("ids", "attention_mask", "type_ids"))


def predict_fn(tokens: tuple[torch.Tensor, ...], model: torch.jit.ScriptModule) -> torch.Tensor:
    with torch.inference_mode():
        return model(*tokens)
