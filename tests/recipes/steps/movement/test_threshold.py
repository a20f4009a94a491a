from dataclasses import replace

import pytest
import torch

from networks.encoder.modules import PackedEncoder
from networks.encoder.slicing import LAYERS
from recipes.steps.movement.threshold import ByThreshold, lowest_share
from tests.tiny import tiny_shape

# Heads of two rows of blocks.
SHAPE = replace(tiny_shape(heads=(2, 2), units=(128, 128)), hidden_size=128, head_size=64)
QUERY, OUTPUT, UNITS = (
    f"{LAYERS}0.{part}.weight" for part in ("attention.self.query", "attention.output.dense", "output.dense")
)


@pytest.fixture
def pruning() -> ByThreshold:
    return ByThreshold(PackedEncoder(SHAPE), 0.1, 20)


def set_scores(pruning: ByThreshold, value: float) -> None:
    with torch.no_grad():
        for mask in pruning.masked.masks.values():
            mask.scores.fill_(value)


def test_blocks_are_32_by_32_and_units_have_a_score_each(pruning: ByThreshold) -> None:
    masks = pruning.masked.masks
    assert [tuple(masks[name].scores.shape) for name in (QUERY, OUTPUT, UNITS)] == [(4, 4), (4, 4), (1, 128)]
    assert len(masks) == 5 * SHAPE.layers


def test_no_block_reaches_over_two_heads() -> None:
    masks = ByThreshold(PackedEncoder(tiny_shape()), 0.1, 20).masked.masks
    assert [tuple(masks[name].scores.shape) for name in (QUERY, OUTPUT)] == [(2, 1), (1, 2)]


def test_the_threshold_begins_below_nearly_all_and_rises_to_zero(pruning: ByThreshold) -> None:
    with torch.no_grad():
        for mask in pruning.masked.masks.values():
            mask.scores.copy_(torch.linspace(-1, 1, mask.scores.numel()).view_as(mask.scores))
    shares = []
    for step in range(21):
        pruning.before_step(step)
        shares.append(float(pruning.masked.masks[UNITS].kept.mean()))
    assert shares[:10] == [1.0] * 10
    assert 0.98 < shares[10] < 1.0
    assert shares == sorted(shares, reverse=True)
    assert shares[20] == 0.5
    assert pruning.masked.first_threshold == -1


def test_a_threshold_is_the_score_of_the_lowest_share_of_all_weights() -> None:
    scores = [torch.tensor([[0.0, 3.0]]), torch.tensor([1.0, 2.0])]
    assert [lowest_share(scores, [10, 40], share) for share in (0.0, 0.09, 0.1, 0.5, 0.95)] == [0.0, 0.0, 1.0, 2.0, 3.0]


def test_at_least_two_of_a_hundred_blocks_stay(pruning: ByThreshold) -> None:
    with torch.no_grad():
        pruning.masked.masks[UNITS].scores.copy_(-torch.arange(1.0, 129.0)[None])
    pruning.before_step(20)
    assert pruning.masked.masks[UNITS].kept[0].nonzero().flatten().tolist() == [0, 1, 2]


def test_the_pull_grows_with_the_schedule_and_follows_the_formula(pruning: ByThreshold) -> None:
    set_scores(pruning, 0.5)
    pruning.before_step(9)
    assert pruning.penalty.item() == 0
    pruning.before_step(15)
    sigmoid = float(torch.tensor(0.5).sigmoid())
    # Four projections of blocks of 1024 weights, and units of 128.
    expected = 0.1 * (1 - 0.5**3) * (4 * 1024 + 128) / 5 * sigmoid / 2
    assert pruning.penalty.item() == pytest.approx(expected, rel=1e-6)
    pruning.penalty.backward()  # type: ignore[no-untyped-call]
    assert all(mask.scores.grad is not None and mask.scores.grad.min() > 0 for mask in pruning.masked.masks.values())


def test_a_head_stays_whole_if_a_single_block_of_it_does(pruning: ByThreshold) -> None:
    set_scores(pruning, -1.0)
    with torch.no_grad():
        pruning.masked.masks[QUERY].scores[3, 1] = 1.0
        pruning.masked.masks[f"{LAYERS}1.attention.output.dense.weight"].scores[2, 0] = 1.0
        for layer in range(2):
            pruning.masked.masks[f"{LAYERS}{layer}.output.dense.weight"].scores[0, 5:40] = 1.0
    first, second = pruning.kept()
    assert (first.layer, first.heads) == (0, (1,))
    assert (second.layer, second.heads) == (1, (0,))


def test_units_are_filled_up_to_a_multiple_of_thirty_two_with_the_next_best(pruning: ByThreshold) -> None:
    set_scores(pruning, -1.0)
    with torch.no_grad():
        pruning.masked.masks[UNITS].scores[0, 5:40] = 1.0
        pruning.masked.masks[UNITS].scores[0, 60:89] = -0.5
    (layer,) = pruning.kept()
    assert layer.units == (*range(5, 40), *range(60, 89))
    assert len(layer.heads) == 1


def test_of_nothing_a_layer_stays_all_the_same(pruning: ByThreshold) -> None:
    set_scores(pruning, -1.0)
    (layer,) = pruning.kept()
    assert (layer.layer, len(layer.heads), len(layer.units)) == (1, 1, 32)
