"""For DeepSparse: a graph in its dialect, as it is, or quantized."""

from networks.encoder.graph import onnx_graph, save_onnx
from networks.encoder.onnx_operators import DEEPSPARSE
from recipes.export.base import BuiltArtifact, Exporter, Source, artifact
from recipes.export.deepsparse_int8 import quantize_for_deepsparse
from recipes.export.precisions import Precision


def _write(source: Source, precision: Precision) -> BuiltArtifact:
    graph = onnx_graph(source.encoder, DEEPSPARSE)
    if precision == "int8":
        source.report("Quantizing for DeepSparse", 0.0)
        graph = quantize_for_deepsparse(graph, source.calibration, source.in_fp32)
    save_onnx(graph, source.out_dir / "model.deepsparse.onnx")
    return artifact(precision, "model.deepsparse.onnx")


EXPORTER = Exporter(("fp32", "int8"), _write)
