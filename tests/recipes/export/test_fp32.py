from pathlib import Path

import numpy as np
import onnx
import pytest

from networks.encoder.shape import EncoderShape
from recipes.export.catalogue import DEFAULT_BACKENDS
from recipes.export.variant import Exported, ExportInput, export
from tests.recipes.export.engines import ASK, onnxruntime_logits, onnxruntime_operators
from tests.tiny import random_packed, tiny_checkpoint, tiny_shape, torch_logits

LAYOUTS = {
    "one text alone": ([[7]], 7),
    "one token": ([[1]], 1),
    "several in a row": ([[5, 1, 9, 3]], 18),
    "padded": ([[5, 1]], 16),
    "several rows, padded": ([[3, 8, 1], [12], [2, 2, 2, 2]], 13),
}


def build(
    tmp_path: Path, shape: EncoderShape, backends: tuple[str, ...] = DEFAULT_BACKENDS
) -> tuple[Path, Path, Exported]:
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint", shape=shape)
    out_dir = tmp_path / "dense"
    out_dir.mkdir()
    built = export(ExportInput(checkpoint, (), out_dir, lambda step, done: None, backends=backends), "fp32")
    return checkpoint, out_dir, built


@pytest.mark.parametrize(
    "shape",
    [tiny_shape(), tiny_shape(labels=("a", "b", "c"), heads=(1, 2, 2), units=(16, 64, 40))],
    ids=["uniform", "pruned, with three labels"],
)
def test_every_engine_answers_as_torch_does(tmp_path: Path, shape: EncoderShape) -> None:
    checkpoint, out_dir, built = build(tmp_path, shape)
    for segments, tokens in LAYOUTS.values():
        packed = random_packed(segments, tokens)
        expected = torch_logits(checkpoint, packed)
        np.testing.assert_allclose(torch_logits(out_dir, packed), expected, atol=1e-6)
        for file, ask in ASK.items():
            np.testing.assert_allclose(ask(out_dir / file, packed), expected, atol=1e-5)
    assert built.labels == shape.labels


def test_graph_has_the_packed_inputs_with_all_shapes_free(tmp_path: Path) -> None:
    _, out_dir, _ = build(tmp_path, tiny_shape())
    graph = onnx.load(out_dir / "model.onnx").graph
    shapes = {i.name: [d.dim_param for d in i.type.tensor_type.shape.dim] for i in graph.input}
    row_shaped = ("input_ids", "position_ids", "token_type_ids", "segment_ids")
    assert shapes == {name: ["rows", "tokens"] for name in row_shaped} | {"cls_index": ["requests"]}
    assert [o.name for o in graph.output] == ["logits"]


def test_a_graph_has_no_positions_that_no_text_reaches(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    out_dir = tmp_path / "dense"
    out_dir.mkdir()
    export(ExportInput(checkpoint, (), out_dir, lambda step, done: None, 24, ("onnxruntime",)), "fp32")
    tables = {constant.name: list(constant.dims) for constant in onnx.load(out_dir / "model.onnx").graph.initializer}
    assert tables["embeddings.position.weight"] == [24, 32]
    packed = random_packed([[24, 3], [10, 11]], 28)
    expected = torch_logits(checkpoint, packed)
    np.testing.assert_allclose(onnxruntime_logits(out_dir / "model.onnx", packed), expected, atol=1e-5)


def test_onnxruntime_runs_fused_operators_only(tmp_path: Path) -> None:
    _, out_dir, _ = build(tmp_path, tiny_shape())
    ran = onnxruntime_operators(out_dir / "model.onnx", tmp_path)
    assert (ran["SkipLayerNormalization"], ran["BiasGelu"], ran["Softmax"]) == (5, 2, 2)
    assert ran["Where"] == 1, "the mask is made once, for all layers"
    assert not {"Gelu", "LayerNormalization", "Cast", "IsNaN", "Slice", "Expand"} & ran.keys()


def test_the_graph_for_deepsparse_answers_as_torch_does_with_operators_of_its_day(tmp_path: Path) -> None:
    checkpoint, out_dir, built = build(tmp_path, tiny_shape(), backends=("deepsparse",))
    file = out_dir / built.artifacts["deepsparse"].file
    for segments, tokens in LAYOUTS.values():
        packed = random_packed(segments, tokens)
        np.testing.assert_allclose(onnxruntime_logits(file, packed), torch_logits(checkpoint, packed), atol=1e-5)
    graph = onnx.load(file)
    assert graph.opset_import[0].version == 14
    assert not {"LayerNormalization", "Gelu", "Equal", "Where"} & {node.op_type for node in graph.graph.node}


def test_built_says_what_is_in_the_folder(tmp_path: Path) -> None:
    checkpoint, out_dir, built = build(tmp_path, tiny_shape())
    named = {f for a in built.artifacts.values() for f in (a.file, *a.companions)}
    assert named | {"tokenizer.json"} == {path.name for path in out_dir.iterdir()}
    assert set(built.artifacts) == {"torch", "onnxruntime", "openvino"}
    assert built.parameters >= built.nonzero > 0.9 * built.parameters
    assert built.max_tokens == 64, "128 were asked for, the checkpoint has 64 positions"
    assert (out_dir / "tokenizer.json").read_bytes() == (checkpoint / "tokenizer.json").read_bytes()


@pytest.mark.parametrize(
    ("backends", "files"),
    [
        (("torch",), {"model.safetensors", "config.json"}),
        (("openvino", "tensorrt"), {"model.xml", "model.bin"}),
    ],
)
def test_only_what_is_asked_for_is_written(tmp_path: Path, backends: tuple[str, ...], files: set[str]) -> None:
    checkpoint, out_dir = tiny_checkpoint(tmp_path / "checkpoint"), tmp_path / "dense"
    out_dir.mkdir()
    built = export(ExportInput(checkpoint, (), out_dir, lambda step, done: None, backends=backends), "fp32")
    assert tuple(built.artifacts) == backends[:1]
    assert {path.name for path in out_dir.iterdir()} == files | {"tokenizer.json"}


def test_progress_goes_from_start_to_end(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path)
    fractions: list[float] = []
    out_dir = tmp_path / "out"
    out_dir.mkdir()
    export(ExportInput(checkpoint, (), out_dir, lambda step, done: fractions.append(done)), "fp32")
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
