"""Post-training quantization: weights and activations of the linear layers in 8 bits, in the form of each engine.

No training. Ranges come from a few hundred texts of the train split and are constants of the files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from model_store.manifest import Technique
from networks.checkpoint import load_checkpoint
from networks.encoder.graph import onnx_graph, save_onnx
from networks.encoder.modules import PackedEncoder
from networks.encoder.onnx_operators import DEEPSPARSE
from recipes.base import Built, BuiltArtifact, RecipeInput, Report, built
from recipes.data.tokenizer import write_tokenizer
from recipes.export.calibration import Packed, load_tokenizer, packed, spread
from recipes.export.deepsparse_int8 import quantize_for_deepsparse
from recipes.export.onnx_int8 import quantize_onnx
from recipes.export.openvino_ir import quantize_ir, read_ir, save_ir

# Of a logit. Where two processors (or two batches) differ in the last digit of a float, a value now and then rounds
# to the next byte: one text in fifty on a 6-layer model of SST-2, moving its logits by up to 0.1.
TOLERANCE = 0.25


def int8(given: RecipeInput) -> Built:
    """Write the checkpoint in INT8, in the form of each engine.

    Raises:
        DataError: there are no calibration texts.
    """
    given.report("Reading the checkpoint", 0.0)
    model = load_checkpoint(given.checkpoint)
    tokenizer = load_tokenizer(write_tokenizer(given.checkpoint, given.out_dir), given.token_limit(model.shape))
    inputs = [packed(tokenizer, text) for text in spread(given.calibration)]
    source = _Source(model, onnx_graph(model), inputs, given.out_dir, given.report)
    artifacts = {backend: write(source) for backend, write in WRITERS.items() if backend in given.backends}
    given.report("INT8 model written", 1.0)
    technique = Technique(recipe="int8", parameters={"calibration_texts": len(inputs), "activation_ranges": "static"})
    return built(given, model, technique, artifacts)


@dataclass(frozen=True, slots=True)
class _Source:
    """What artifacts are written from, and where to."""

    model: PackedEncoder
    graph: ModelProto
    inputs: list[Packed]
    out_dir: Path
    report: Report


def _onnxruntime(source: _Source) -> BuiltArtifact:
    source.report("Quantizing for ONNX Runtime", 0.1)
    save_onnx(quantize_onnx(source.graph, source.inputs), source.out_dir / "model.onnx")
    return _int8("model.onnx")


def _openvino(source: _Source) -> BuiltArtifact:
    ir = read_ir(source.graph)
    quantized = quantize_ir(ir, source.inputs, lambda step, done: source.report(step, 0.3 + 0.6 * done))
    save_ir(quantized, source.out_dir / "model.xml")
    return _int8("model.xml", "model.bin")


def _deepsparse(source: _Source) -> BuiltArtifact:
    source.report("Quantizing for DeepSparse", 0.9)
    quantized = quantize_for_deepsparse(onnx_graph(source.model, DEEPSPARSE), source.inputs)
    save_onnx(quantized, source.out_dir / "model.deepsparse.onnx")
    return _int8("model.deepsparse.onnx")


def _int8(file: str, *companions: str) -> BuiltArtifact:
    return BuiltArtifact(file, "int8", golden_from="artifact", golden_tolerance=TOLERANCE, companions=companions)


WRITERS: dict[str, Callable[[_Source], BuiltArtifact]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "deepsparse": _deepsparse,
}
"""How the artifact of each backend is written."""
