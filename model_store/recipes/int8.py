"""Post-training quantization: weights and activations of the linear layers in 8 bits, for ONNX Runtime and OpenVINO.

No training. Ranges come from a few hundred texts of the train split and are constants of the files.
"""

from model_store.bert import load_checkpoint
from model_store.manifest import Technique
from model_store.recipes.base import Built, BuiltArtifact, RecipeInput, built
from model_store.recipes.calibration import load_tokenizer, packed, spread
from model_store.recipes.graph import onnx_graph, save_onnx
from model_store.recipes.onnx_int8 import quantize_onnx
from model_store.recipes.openvino_ir import quantize_ir, read_ir, save_ir
from model_store.tokenizer import write_tokenizer

# Of a logit. Where two processors (or two batches) differ in the last digit of a float, a value now and then rounds
# to the next byte: one text in fifty on a 6-layer model of SST-2, moving its logits by up to 0.1.
TOLERANCE = 0.25


def int8(given: RecipeInput) -> Built:
    """Write INT8 ONNX and OpenVINO IR of the checkpoint.

    Raises:
        DataError: there are no calibration texts.
    """
    given.report("Reading the checkpoint", 0.0)
    model = load_checkpoint(given.checkpoint)
    graph = onnx_graph(model)
    tokenizer = load_tokenizer(write_tokenizer(given.checkpoint, given.out_dir), given.token_limit(model.config))
    inputs = [packed(tokenizer, text) for text in spread(given.calibration)]
    given.report("Quantizing for ONNX Runtime", 0.1)
    save_onnx(quantize_onnx(graph, inputs), given.out_dir / "model.onnx")
    quantized = quantize_ir(read_ir(graph), inputs, lambda step, done: given.report(step, 0.3 + 0.6 * done))
    save_ir(quantized, given.out_dir / "model.xml")
    given.report("INT8 model written", 1.0)
    return built(
        given,
        model,
        Technique(recipe="int8", parameters={"calibration_texts": len(inputs), "activation_ranges": "static"}),
        {"onnxruntime": _int8("model.onnx"), "openvino": _int8("model.xml", "model.bin")},
    )


def _int8(file: str, *companions: str) -> BuiltArtifact:
    return BuiltArtifact(file, "int8", golden_from="artifact", golden_tolerance=TOLERANCE, companions=companions)
