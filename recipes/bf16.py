"""The model in bfloat16: half the size, and faster on processors that compute in it (AVX-512 BF16, AMX).

No training and no calibration. Elsewhere PyTorch emulates it, slowly, and OpenVINO refuses.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from model_store.manifest import Technique
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.graph import onnx_graph
from networks.encoder.modules import PackedEncoder
from recipes.base import Built, BuiltArtifact, RecipeInput, built
from recipes.data.tokenizer import write_tokenizer
from recipes.export.openvino_ir import read_ir, save_ir
from recipes.export.torchscript import save_torchscript

# Of a logit. A number has eight significant bits, and every layer rounds anew; in other company sums round elsewhere.
TOLERANCE = 0.25


def bf16(given: RecipeInput) -> Built:
    """Write the checkpoint with its weights rounded to bfloat16, to be computed in it."""
    given.report("Reading the checkpoint", 0.0)
    model = load_checkpoint(given.checkpoint)
    write_tokenizer(given.checkpoint, given.out_dir)
    artifacts = {}
    for backend, write in WRITERS.items():
        if backend in given.backends:
            given.report(f"Writing for {backend}", 0.5)
            artifacts[backend] = write(model, given.out_dir)
    given.report("bfloat16 model written", 1.0)
    return built(given, model, Technique(recipe="bf16"), artifacts)


def _openvino(model: PackedEncoder, out_dir: Path) -> BuiltArtifact:
    # OpenVINO rounds the weights as it loads them.
    save_ir(read_ir(onnx_graph(model.float())), out_dir / "model.xml")
    return _bf16("model.xml", "model.bin")


def _torch(model: PackedEncoder, out_dir: Path) -> BuiltArtifact:
    save_checkpoint(model.to(torch.bfloat16), out_dir)
    return _bf16("model.safetensors", "config.json")


def _torchscript(model: PackedEncoder, out_dir: Path) -> BuiltArtifact:
    save_torchscript(model.to(torch.bfloat16), out_dir / "model.pt")
    return _bf16("model.pt")


def _bf16(file: str, *companions: str) -> BuiltArtifact:
    return BuiltArtifact(file, "bf16", golden_from="artifact", golden_tolerance=TOLERANCE, companions=companions)


WRITERS: dict[str, Callable[[PackedEncoder, Path], BuiltArtifact]] = {
    "openvino": _openvino,  # before the others round the weights
    "torch": _torch,
    "torchscript": _torchscript,
}
"""How the artifact of each backend is written."""
