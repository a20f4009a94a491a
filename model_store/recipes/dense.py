"""The model as it is, in fp32, for every engine: what all other variants are compared with."""

from model_store.bert import load_checkpoint, save_checkpoint
from model_store.manifest import Technique
from model_store.recipes.base import Built, BuiltArtifact, RecipeInput, built
from model_store.recipes.graph import onnx_graph, save_onnx
from model_store.recipes.openvino_ir import read_ir, save_ir
from model_store.tokenizer import write_tokenizer

# Of a logit: the engines sum in different orders, which moves the last digits only.
TOLERANCE = 1e-3


def dense(given: RecipeInput) -> Built:
    """Write safetensors, ONNX and OpenVINO IR of the checkpoint, none of it changed."""
    given.report("Reading the checkpoint", 0.0)
    model = load_checkpoint(given.checkpoint)
    write_tokenizer(given.checkpoint, given.out_dir)
    save_checkpoint(model, given.out_dir)
    given.report("Writing ONNX", 0.4)
    graph = onnx_graph(model)
    save_onnx(graph, given.out_dir / "model.onnx")
    given.report("Writing OpenVINO IR", 0.7)
    save_ir(read_ir(graph), given.out_dir / "model.xml")
    given.report("Dense model written", 1.0)
    return built(
        given,
        model,
        Technique(recipe="dense"),
        {
            "torch": _fp32("model.safetensors", "config.json"),
            "onnxruntime": _fp32("model.onnx"),
            "openvino": _fp32("model.xml", "model.bin"),
        },
    )


def _fp32(file: str, *companions: str) -> BuiltArtifact:
    return BuiltArtifact(file, "fp32", golden_from="reference", golden_tolerance=TOLERANCE, companions=companions)
