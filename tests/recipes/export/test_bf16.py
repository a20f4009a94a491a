from pathlib import Path

import numpy as np
import pytest
import torch

from recipes.export.catalogue import EXPORTERS, backends_of
from recipes.export.openvino_bf16 import bfloat16_bits
from recipes.export.variant import Exported, ExportInput, export
from tests.recipes.export.engines import openvino_logits, openvino_operators
from tests.tiny import packed_texts, tiny_checkpoint, tiny_shape, torch_logits

BACKENDS = ("torch", "torchscript", "openvino")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of an fp32 and of a bf16 export, wide enough for the weights to outweigh the text of the files."""
    folder = tmp_path_factory.mktemp("bf16")
    checkpoint = tiny_checkpoint(folder / "checkpoint", shape=tiny_shape(units=(4096, 4096)))
    found = {"checkpoint": checkpoint}
    for precision in ("fp32", "bf16"):
        found[precision] = folder / precision
        found[precision].mkdir()
        given = ExportInput(checkpoint, (), found[precision], lambda step, done: None, backends=BACKENDS)
        built: Exported = export(given, precision)
        assert tuple(built.artifacts) == BACKENDS
    return found


@pytest.mark.parametrize("file", ["model.safetensors", "model.pt", "model.bin"])
def test_files_are_half_the_size(written: dict[str, Path], file: str) -> None:
    share = (written["bf16"] / file).stat().st_size / (written["fp32"] / file).stat().st_size
    assert 0.48 < share < 0.55


def test_openvino_is_given_every_matrix_as_bfloat16(written: dict[str, Path]) -> None:
    held = openvino_operators(written["bf16"] / "model.xml")
    assert held["Constant", "bf16"] == held["Convert", "f32"] == 4 * 2 + 3 + 2, "linears, embeddings, head"


def test_openvino_answers_with_the_weights_that_were_rounded(written: dict[str, Path]) -> None:
    packed = packed_texts(written["checkpoint"])
    answers = openvino_logits(written["bf16"] / "model.xml", packed)
    expected = torch_logits(written["checkpoint"], packed)
    np.testing.assert_allclose(answers, expected, atol=0.02)
    assert np.abs(answers - expected).max() > 1e-6, "nothing was rounded"


def test_numbers_are_rounded_as_torch_rounds_them() -> None:
    halfway = np.array([1.00390625, 1.01171875, -0.0, 3e38], np.float32)
    values = np.concatenate([np.random.default_rng(0).normal(size=1000).astype(np.float32), halfway])
    expected = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy().view(np.uint16)
    np.testing.assert_array_equal(bfloat16_bits(values), expected)


def test_each_engine_says_which_precisions_it_writes() -> None:
    assert backends_of("fp32") == tuple(EXPORTERS)
    assert backends_of("bf16") == BACKENDS
    assert backends_of("int8") == ("onnxruntime", "openvino", "deepsparse")
