from pathlib import Path

import pytest
import torch

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PackedEncoder
from networks.encoder.slicing import LAYERS, head_columns
from recipes.data.tokens import load_tokenizer
from recipes.steps.nas.importance import drop_order, importance_of, in_order
from recipes.training.batches import RowBatches
from recipes.training.evaluation import Evaluation
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path, shape=tiny_shape(heads=(3, 2, 2), units=(20, 12, 16)))


@pytest.fixture
def encoder(checkpoint: Path) -> PackedEncoder:
    return load_checkpoint(checkpoint)


def batches(checkpoint: Path, size: int) -> RowBatches:
    return RowBatches(load_tokenizer(checkpoint / "tokenizer.json", 64), ROWS, size, seed=1)


def silence(encoder: PackedEncoder, layer: int, head: int, unit: int) -> None:
    """Zeros behind a head and a unit: nothing that they compute has an effect."""
    with torch.no_grad():
        weights = dict(encoder.named_parameters())
        columns = head_columns([head], encoder.shape.head_size)
        weights[f"{LAYERS}{layer}.attention.output.dense.weight"][:, columns] = 0
        weights[f"{LAYERS}{layer}.output.dense.weight"][:, unit] = 0


def test_what_has_no_effect_is_not_important_and_comes_last(checkpoint: Path, encoder: PackedEncoder) -> None:
    silence(encoder, 0, head=1, unit=7)
    found = importance_of(encoder, [batches(checkpoint, 6)(0)])
    assert [(len(one.heads), len(one.units)) for one in found] == [(3, 20), (2, 12), (2, 16)]
    assert found[0].heads[1] == found[0].units[7] == 0
    assert found[0].heads.count_nonzero() == 2
    assert found[0].units.count_nonzero() == 19
    last = in_order(encoder, found).state_dict()[f"{LAYERS}0.output.dense.weight"][:, -1]
    assert last.count_nonzero() == 0


def test_it_is_of_texts_whatever_their_batches(checkpoint: Path, encoder: PackedEncoder) -> None:
    whole, parts = batches(checkpoint, 6), batches(checkpoint, 2)
    expected = importance_of(encoder, map(whole, range(1)))
    for one, other in zip(importance_of(encoder, map(parts, range(3))), expected, strict=True):
        torch.testing.assert_close(one.heads, other.heads)
        torch.testing.assert_close(one.units, other.units)


def test_in_order_it_answers_what_it_answered(checkpoint: Path, encoder: PackedEncoder) -> None:
    texts = Evaluation.of(load_tokenizer(checkpoint / "tokenizer.json", 64), ROWS)
    importance = importance_of(encoder, [batches(checkpoint, 6)(0)])
    ordered = in_order(encoder, importance)
    torch.testing.assert_close(texts.logits(ordered), texts.logits(encoder), atol=1e-6, rtol=0)
    for one in importance_of(ordered, [batches(checkpoint, 6)(0)]):
        assert one.heads.tolist() == sorted(one.heads.tolist(), reverse=True)
        assert one.units.tolist() == sorted(one.units.tolist(), reverse=True)


def test_the_layer_that_changes_nothing_is_dropped_first(checkpoint: Path, encoder: PackedEncoder) -> None:
    weights = dict(encoder.named_parameters())
    with torch.no_grad():
        for layer, strength in ((0, 3.0), (1, 0.0), (2, 9.0)):
            for part in ("attention.output", "output"):
                weights[f"{LAYERS}{layer}.{part}.dense.weight"].mul_(strength)
                weights[f"{LAYERS}{layer}.{part}.dense.bias"].mul_(strength)
    found = drop_order(encoder, Evaluation.of(load_tokenizer(checkpoint / "tokenizer.json", 64), ROWS))
    assert sorted(found) == [0, 1, 2]
    assert found[0] == 1
