"""For ONNX Runtime: the graph as it is, or quantized."""

from networks.encoder.graph import save_onnx
from recipes.export.base import BuiltArtifact, Exporter, Source, artifact
from recipes.export.onnx_int8 import quantize_onnx
from recipes.export.precisions import Precision


def _write(source: Source, precision: Precision) -> BuiltArtifact:
    graph = source.graph()
    if precision == "int8":
        source.report("Quantizing for ONNX Runtime", 0.0)
        graph = quantize_onnx(graph, source.calibration, source.in_fp32)
    save_onnx(graph, source.out_dir / "model.onnx")
    return artifact(precision, "model.onnx")


EXPORTER = Exporter(("fp32", "int8"), _write)
