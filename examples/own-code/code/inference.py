"""A sentiment model that counts words: the four functions of a variant that brings its own model."""

import json
from pathlib import Path
from typing import Any

Weights = dict[str, int]


def model_fn(model_dir: str) -> Weights:
    """Called once in each worker; what it returns is handed to `predict_fn`."""
    weights: Weights = json.loads((Path(model_dir) / "words.json").read_text())
    return weights


def input_fn(body: str | bytearray, content_type: str) -> list[str]:
    """`body` is text for JSON and CSV, a bytearray for every other content type."""
    if content_type == "text/plain":
        assert isinstance(body, bytearray)
        return body.decode().splitlines()
    inputs = json.loads(body)["inputs"]
    return inputs if isinstance(inputs, list) else [inputs]


def predict_fn(texts: list[str], weights: Weights) -> list[dict[str, Any]]:
    scores = [sum(weights.get(word, 0) for word in text.lower().split()) for text in texts]
    return [{"label": "positive" if score > 0 else "negative", "score": score} for score in scores]


def output_fn(predictions: list[dict[str, Any]], accept: str) -> tuple[str, str]:
    """A body and its content type; `accept` is JSON where the client does not care."""
    if accept == "text/plain":
        return "".join(f"{one['label']}\n" for one in predictions), accept
    return json.dumps(predictions), "application/json"
