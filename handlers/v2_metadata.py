"""The tensors of every variant, as the Open Inference Protocol describes them to clients that ask."""

from typing import Any

INPUTS = [
    {"name": "text", "datatype": "BYTES", "shape": [-1]},
    {"name": "text_pair", "datatype": "BYTES", "shape": [-1]},
]


def outputs_metadata(labels: int) -> list[dict[str, Any]]:
    return [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "score", "datatype": "FP32", "shape": [-1]},
        {"name": "logits", "datatype": "FP32", "shape": [-1, labels]},
    ]
