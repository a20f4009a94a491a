"""The model as it is, in fp32, for every engine: what all other variants are compared with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from onnx import ModelProto

from model_store.manifest import Technique
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.graph import onnx_graph, save_onnx
from networks.encoder.modules import PackedEncoder
from networks.encoder.onnx_operators import DEEPSPARSE
from recipes.base import Built, BuiltArtifact, RecipeInput, built
from recipes.data.tokenizer import write_tokenizer
from recipes.export.openvino_ir import read_ir, save_ir
from recipes.export.torchscript import save_torchscript

# Of a logit: the engines sum in different orders, which moves the last digits only.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class _Source:
    """What artifacts are written from, and where to. Writers share the graph, which is made once it is needed."""

    model: PackedEncoder
    out_dir: Path

    @cached_property
    def graph(self) -> ModelProto:
        return onnx_graph(self.model)


def dense(given: RecipeInput) -> Built:
    """Write the checkpoint, none of it changed, in the form of each engine: safetensors, ONNX, OpenVINO IR."""
    given.report("Reading the checkpoint", 0.0)
    source = _Source(load_checkpoint(given.checkpoint), given.out_dir)
    write_tokenizer(given.checkpoint, given.out_dir)
    backends = [backend for backend in WRITERS if backend in given.backends]
    artifacts = {}
    for i, backend in enumerate(backends):
        given.report(f"Writing for {backend}", 0.3 + 0.7 * i / len(backends))
        artifacts[backend] = WRITERS[backend](source)
    given.report("Dense model written", 1.0)
    return built(given, source.model, Technique(recipe="dense"), artifacts)


def _torch(source: _Source) -> BuiltArtifact:
    save_checkpoint(source.model, source.out_dir)
    return _fp32("model.safetensors", "config.json")


def _onnxruntime(source: _Source) -> BuiltArtifact:
    save_onnx(source.graph, source.out_dir / "model.onnx")
    return _fp32("model.onnx")


def _openvino(source: _Source) -> BuiltArtifact:
    save_ir(read_ir(source.graph), source.out_dir / "model.xml")
    return _fp32("model.xml", "model.bin")


def _torchscript(source: _Source) -> BuiltArtifact:
    save_torchscript(source.model, source.out_dir / "model.pt")
    return _fp32("model.pt")


def _deepsparse(source: _Source) -> BuiltArtifact:
    save_onnx(onnx_graph(source.model, DEEPSPARSE), source.out_dir / "model.deepsparse.onnx")
    return _fp32("model.deepsparse.onnx")


def _fp32(file: str, *companions: str) -> BuiltArtifact:
    return BuiltArtifact(file, "fp32", golden_from="reference", golden_tolerance=TOLERANCE, companions=companions)


WRITERS: dict[str, Callable[[_Source], BuiltArtifact]] = {
    "torch": _torch,
    "torchscript": _torchscript,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "deepsparse": _deepsparse,
}
"""How the artifact of each backend is written."""
