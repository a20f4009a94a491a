"""The model as TorchServe's worker wants it: a function that answers a batch of requests."""

import json
import os
from pathlib import Path
from typing import Any

from benchmarks.peers.common.shared_model import Prediction, SharedModel

VARIANT = "BENCHMARK_VARIANT"
"""The environment variable that tells the worker what to load."""

_model: SharedModel | None = None


def handle(data: list[dict[str, Any]] | None, context: Any) -> list[list[Prediction]]:
    """Called once without data to load, then with a batch of requests."""
    global _model
    if _model is None:
        _model = SharedModel(Path(os.environ[VARIANT]))
    return [[prediction] for prediction in _model([_text(request) for request in data])] if data else []


def _text(request: dict[str, Any]) -> str:
    body = request.get("body")
    text: str = (body if isinstance(body, dict) else json.loads(bytes(body or b"")))["inputs"]
    return text
