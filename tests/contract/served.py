"""A real server for clients to ask: a tiny variant, a model of a user's own that takes tokens, and one that takes
arrays."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import BuiltOnce
from tests.handlers.variants import build_dense, write_code
from tests.serving.front_server import Front, front, spec

TOKENS = """
import numpy as np

V2_INPUTS = [
    {"name": "input_ids", "datatype": "INT64", "shape": [-1, -1]},
    {"name": "mask", "datatype": "BOOL", "shape": [-1, -1], "parameters": {"optional": True}},
]
V2_OUTPUTS = [
    {"name": "sums", "datatype": "FP32", "shape": [-1, 1]},
    {"name": "words", "datatype": "BYTES", "shape": [-1]},
]


def model_fn(model_dir):
    return None


def predict_fn(data, model):
    ids = data["input_ids"]
    sums = (ids * data.get("mask", True)).sum(axis=1, keepdims=True)
    return {"sums": sums, "words": [f"{len(row)} tokens" for row in ids]}
"""

ARRAYS = """
import io

import numpy as np


def model_fn(model_dir):
    return 2


def input_fn(body, content_type):
    return np.load(io.BytesIO(body), allow_pickle=False)


def predict_fn(data, model):
    return data * model


def output_fn(prediction, accept):
    written = io.BytesIO()
    np.save(written, prediction)
    return written.getvalue(), accept
"""


@contextmanager
def served(built_once: BuiltOnce, folder: Path) -> Iterator[Front]:
    """The three, as `dense`, `tokens` and `arrays`; the first is the one that is asked where none is named."""
    dense = built_once("dense", build_dense)
    own = [spec(write_code(folder / name, code), "python") for name, code in (("tokens", TOKENS), ("arrays", ARRAYS))]
    with front([spec(dense), *own]) as server:
        yield server
