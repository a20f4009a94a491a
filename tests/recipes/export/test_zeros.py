"""Weights that were pruned are zero in every artifact, at the same places."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import openvino
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import nn

from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.export.precisions import Precision
from recipes.export.variant import ExportInput, export
from recipes.steps.masks import prunable, prune
from recipes.work.progress import silent
from tests.recipes.export.engines import ASK, onnxruntime_logits
from tests.tiny import TEXTS, packed_texts, tiny_checkpoint, torch_logits

Zeros = dict[str, NDArray[np.bool_]]

# As a graph calls them.
LINEARS = ("attention.qkv", "attention.output", "intermediate", "output")


@pytest.fixture(scope="module", params=[1, 4], ids=["global", "block4"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four fifths of the weights of its layers are zero."""
    folder = tiny_checkpoint(tmp_path_factory.mktemp("sparse"))
    encoder = load_checkpoint(folder)
    weights, size = prunable(encoder), request.param
    prune(weights, [torch.rand(weight.numel() // size) for weight in weights], 0.8, size)
    save_checkpoint(encoder, folder)
    return folder


def pruned_places(encoder: PackedEncoder) -> Zeros:
    """Where the weights of each linear layer of a graph are zero, (in, out)."""
    weights = {name: weight.numpy() for name, weight in encoder.state_dict().items()}
    found = {}
    for layer in range(encoder.shape.layers):
        old, new = f"bert.encoder.layer.{layer}", f"layer.{layer}"
        qkv = [weights[f"{old}.attention.self.{part}.weight"] for part in ("query", "key", "value")]
        found[f"{new}.attention.qkv"] = np.concatenate(qkv).T == 0
        for name in LINEARS[1:]:
            found[f"{new}.{name}"] = weights[f"{old}.{name}.dense.weight"].T == 0
    return found


def onnx_zeros(file: Path, suffix: str, zero: int) -> Zeros:
    """`zero` stands for zero in the constants of the linear layers, whose names end in `suffix`."""
    constants = {one.name: numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer}
    end = f".weight{suffix}"
    return {
        name.removesuffix(end): values == zero
        for name, values in constants.items()
        if name.startswith("layer.") and name.endswith(end) and values.ndim == 2
    }


def openvino_zeros(file: Path) -> Zeros:
    nodes = openvino.Core().read_model(file).get_ops()
    products = [
        one for one in nodes if one.get_type_name() == "MatMul" and one.get_friendly_name().startswith("layer.")
    ]
    weights = {one.get_friendly_name(): weight_of(one.input_value(1).get_node()) for one in products}
    return {name: weight == 0 for name, weight in weights.items() if weight is not None}


def weight_of(node: openvino.Node) -> NDArray[np.generic] | None:
    """The constant that is scaled to be the weight; None where there is none, in the attention."""
    while node.get_type_name() in {"Convert", "Multiply"}:
        node = node.input_value(0).get_node()
    return node.data if node.get_type_name() == "Constant" else None


ARTIFACTS: dict[str, tuple[str, Precision, Callable[[Path], Zeros]]] = {
    "onnxruntime, fp32": ("onnxruntime", "fp32", lambda folder: onnx_zeros(folder / "model.onnx", "", 0)),
    "onnxruntime, int8": ("onnxruntime", "int8", lambda folder: onnx_zeros(folder / "model.onnx", ".i8", 0)),
    "openvino, fp32": ("openvino", "fp32", lambda folder: openvino_zeros(folder / "model.xml")),
    "openvino, int8": ("openvino", "int8", lambda folder: openvino_zeros(folder / "model.xml")),
    "deepsparse, fp32": ("deepsparse", "fp32", lambda folder: onnx_zeros(folder / "model.deepsparse.onnx", "", 0)),
    "deepsparse, int8": ("deepsparse", "int8", lambda folder: onnx_zeros(folder / "model.deepsparse.onnx", ".u8", 128)),
}


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_what_was_pruned_is_zero_in_the_file(checkpoint: Path, tmp_path: Path, artifact: str) -> None:
    backend, precision, zeros_of = ARTIFACTS[artifact]
    built = export(ExportInput(checkpoint, TEXTS, tmp_path, silent, backends=(backend,)), precision)
    expected, found = pruned_places(load_checkpoint(checkpoint)), zeros_of(tmp_path)
    assert found.keys() == expected.keys()
    for name, pruned in expected.items():
        assert bool(found[name][pruned].all()), f"{name} has lost zeros"
    share = sum(int(zeros.sum()) for zeros in found.values()) / sum(zeros.size for zeros in found.values())
    # Bytes have no place for very small numbers: some more of them become zero.
    assert 0.8 - 1e-3 < share < (0.8 + 1e-3 if precision == "fp32" else 0.85)
    assert built.parameters - built.nonzero >= sum(int(zeros.sum()) for zeros in expected.values())


@pytest.mark.parametrize("artifact", ["model.onnx", "model.xml", "model.deepsparse.onnx"])
def test_a_unit_without_weights_keeps_its_bias_in_int8(tmp_path: Path, artifact: str) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    encoder = load_checkpoint(checkpoint)
    dense = encoder.get_submodule("bert.encoder.layer.1.output.dense")
    assert isinstance(dense, nn.Linear)
    dense.weight.data[3], dense.bias.data[3] = 0.0, 5.0
    save_checkpoint(encoder, checkpoint)
    backends = ("onnxruntime", "openvino", "deepsparse")
    (tmp_path / "int8").mkdir()
    export(ExportInput(checkpoint, TEXTS, tmp_path / "int8", silent, backends=backends), "int8")
    packed = packed_texts(checkpoint)
    ask = ASK.get(artifact, onnxruntime_logits)
    np.testing.assert_allclose(ask(tmp_path / "int8" / artifact, packed), torch_logits(checkpoint, packed), atol=0.03)
