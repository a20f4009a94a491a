"""The engines that artifacts are written for, by the name of the backend that runs them."""

from recipes.export import deepsparse, onnxruntime, openvino, torch, torchscript
from recipes.export.base import Exporter
from recipes.export.precisions import Precision

EXPORTERS: dict[str, Exporter] = {
    "torch": torch.EXPORTER,
    "torchscript": torchscript.EXPORTER,
    "onnxruntime": onnxruntime.EXPORTER,
    "openvino": openvino.EXPORTER,
    "deepsparse": deepsparse.EXPORTER,
}

DEFAULT_BACKENDS = ("torch", "onnxruntime", "openvino")
"""For which artifacts are written unless others are asked for."""


def backends_of(precision: Precision) -> tuple[str, ...]:
    """The backends that an artifact of this precision can be written for."""
    return tuple(backend for backend, exporter in EXPORTERS.items() if precision in exporter.precisions)
