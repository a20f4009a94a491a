from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from model_store.errors import DataError
from networks.encoder.shape import EncoderShape
from recipes.data.tokens import Text
from recipes.export.variant import Exported, ExportInput, export
from tests.recipes.export.engines import (
    ASK,
    onnxruntime_logits,
    onnxruntime_operators,
    openvino_operators,
    openvino_rounded,
)
from tests.tiny import PAIRS, TEXTS, packed_texts, random_packed, tiny_checkpoint, torch_logits


def quantize(checkpoint: Path, out_dir: Path, texts: tuple[Text, ...] = TEXTS) -> Exported:
    out_dir.mkdir()
    return export(ExportInput(checkpoint, texts, out_dir, lambda step, done: None), "int8")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Wide enough for its weights to outweigh the text of the files.
    shape = EncoderShape(
        vocab_size=66, hidden_size=96, head_size=32, heads=(3, 2), units=(192, 160), labels=("no", "yes"), max_tokens=64
    )
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), shape=shape)


@pytest.fixture(scope="module")
def int8(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp("store") / "int8"
    quantize(checkpoint, out_dir)
    return out_dir


def test_onnxruntime_runs_every_encoder_linear_in_integers(int8: Path, tmp_path: Path) -> None:
    ran = onnxruntime_operators(int8 / "model.onnx", tmp_path)
    assert ran["MatMulIntegerToFloat"] == 8, "four linears in each of two layers"
    assert ran["DynamicQuantizeLinear"] == 0
    assert ran["DequantizeLinear"] == 0


def test_openvino_is_given_every_encoder_linear_and_the_attention_in_integers(int8: Path) -> None:
    held = openvino_operators(int8 / "model.xml")
    assert held["FakeQuantize", "f32"] >= 8 + 4, "an input of each linear; query and key in each of two layers"
    assert held["Convert", "f32"] >= 8 + 1, "weights of each linear and the word embeddings, stored as bytes"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "deepsparse"])
def test_layers_that_are_left_in_fp32_are_not_rounded(checkpoint: Path, tmp_path: Path, backend: str) -> None:
    left = frozenset({"layer.0.attention.qkv", "layer.1.output"})
    given = ExportInput(
        checkpoint, TEXTS, tmp_path, lambda step, done: None, backends=(backend,), in_fp32={backend: left}
    )
    file = tmp_path / export(given, "int8").artifacts[backend].file
    if backend == "openvino":
        assert not left & openvino_rounded(file)
        assert {"layer.0.attention.output", "layer.1.attention.qkv"} <= openvino_rounded(file)
        return
    rounded = {constant.name for constant in onnx.load(file).graph.initializer if constant.data_type in (2, 3)}
    assert sum(name.startswith("layer.") and ".weight." in name and ".zero" not in name for name in rounded) == 8 - 2
    assert not any(name.startswith(tuple(left)) for name in rounded)


def test_deepsparse_is_given_every_encoder_linear_as_a_product_of_bytes(checkpoint: Path, tmp_path: Path) -> None:
    given = ExportInput(checkpoint, TEXTS, tmp_path, lambda step, done: None, backends=("deepsparse",))
    file = tmp_path / export(given, "int8").artifacts["deepsparse"].file
    kinds = Counter(node.op_type for node in onnx.load(file).graph.node)
    assert (kinds["MatMulInteger"], kinds["Cast"]) == (8, 8 + 1), "four linears in each of two layers, and the mask"
    packed = packed_texts(checkpoint)
    answers, expected = onnxruntime_logits(file, packed), torch_logits(checkpoint, packed)
    np.testing.assert_allclose(answers, expected, atol=0.02)
    assert np.abs(answers - expected).max() > 1e-5, "nothing was rounded"


@pytest.mark.parametrize(("file", "weights"), [("model.onnx", "model.onnx"), ("model.xml", "model.bin")])
def test_answers_are_close_and_files_smaller(
    checkpoint: Path, int8: Path, tmp_path: Path, file: str, weights: str
) -> None:
    packed = packed_texts(checkpoint)
    expected = torch_logits(checkpoint, packed)
    answers = ASK[file](int8 / file, packed)
    np.testing.assert_allclose(answers, expected, atol=0.02)
    assert np.abs(answers - expected).max() > 1e-5, "nothing was rounded"
    assert (int8 / weights).stat().st_size < 0.5 * (checkpoint / "model.safetensors").stat().st_size


@pytest.mark.parametrize("file", list(ASK))
def test_an_answer_does_not_depend_on_its_neighbours(int8: Path, file: str) -> None:
    together = random_packed([[5, 1, 9], [15]], 15)
    answers = ASK[file](int8 / file, together)
    for request, (row, start, length) in enumerate([(0, 0, 5), (0, 5, 1), (0, 6, 9), (1, 0, 15)]):
        alone: dict[str, NDArray[np.int64]] = {
            name: values[row : row + 1, start : start + length] for name, values in together.items() if values.ndim == 2
        }
        alone["cls_index"] = np.zeros(1, np.int64)
        # A float may differ in its last digit, and then round to the next byte, which is worth far less than this.
        np.testing.assert_allclose(ASK[file](int8 / file, alone)[0], answers[request], atol=0.01)


def test_pairs_and_longer_texts_than_the_model_holds_calibrate(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "rte", labels=("entailment", "not_entailment"))
    built = quantize(checkpoint, tmp_path / "int8", (*PAIRS, ("good " * 200, "bad " * 200)))
    assert built.settings["calibration_texts"] == 4
    assert built.labels == ("entailment", "not_entailment")


def test_a_second_build_gives_the_same_bytes(checkpoint: Path, int8: Path, tmp_path: Path) -> None:
    quantize(checkpoint, tmp_path / "again")
    for file in ("model.onnx", "model.bin"):
        assert (tmp_path / "again" / file).read_bytes() == (int8 / file).read_bytes()


def test_nothing_is_printed(checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    quantize(checkpoint, tmp_path / "quiet")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_no_texts_is_refused(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    with pytest.raises(DataError, match="train split"):
        quantize(checkpoint, tmp_path / "int8", ())


def test_only_what_is_asked_for_is_written(checkpoint: Path, tmp_path: Path) -> None:
    given = ExportInput(checkpoint, TEXTS, tmp_path, lambda step, done: None, backends=("torch", "onnxruntime"))
    built = export(given, "int8")
    assert set(built.artifacts) == {"onnxruntime"}
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", "tokenizer.json"}
