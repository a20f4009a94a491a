"""For OpenVINO: the graph as IR, as it is, with weights rounded to bfloat16, or quantized."""

import errno
import os
from io import BytesIO
from pathlib import Path

import openvino
from onnx import ModelProto

from recipes.export.base import BuiltArtifact, Exporter, Source, artifact
from recipes.export.openvino_bf16 import round_matrices
from recipes.export.openvino_int8 import quantize_ir
from recipes.export.precisions import Precision


def _write(source: Source, precision: Precision) -> BuiltArtifact:
    model = read_ir(source.graph())
    if precision == "bf16":
        round_matrices(model)
    elif precision == "int8":
        model = quantize_ir(model, source.calibration, source.report, source.in_fp32)
    save_ir(model, source.out_dir / "model.xml")
    return artifact(precision, "model.xml", "model.bin")


def read_ir(graph: ModelProto) -> openvino.Model:
    return openvino.Core().read_model(BytesIO(graph.SerializeToString()))


def save_ir(model: openvino.Model, path: Path) -> None:
    """Write `path` (`.xml`) and the weights beside it (`.bin`), in the precision they are in.

    Raises:
        OSError: the disk is full.
    """
    try:
        openvino.save_model(model, path, compress_to_fp16=False)
    except RuntimeError as exc:
        if "iostream" not in str(exc):
            raise
        # It does not say why it cannot write; in a folder that was just made, it is room that is missing.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path.name) from exc


EXPORTER = Exporter(("fp32", "bf16", "int8"), _write)
