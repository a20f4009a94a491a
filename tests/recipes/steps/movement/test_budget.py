from dataclasses import replace

import pytest
import torch

from networks.encoder.counts import macs_per_token
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import sliced
from recipes.steps.movement.budget import ToBudget
from recipes.steps.movement.costs import linear_costs
from recipes.steps.movement.ranking import shape_of
from tests.tiny import random_packed, tiny_shape

SHAPE = replace(tiny_shape(heads=(4, 4), units=(128, 64)), head_size=8)
INPUTS = {name: torch.from_numpy(one) for name, one in random_packed([[5, 4], [7]], 12).items()}


def macs(shape: EncoderShape) -> float:
    return macs_per_token(shape, 10)


@pytest.fixture
def to_budget() -> ToBudget:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        pruning = ToBudget(PackedEncoder(SHAPE), linear_costs(macs, SHAPE, 0.5), 0.5, 20)
        for mask in pruning.masked.masks.values():
            mask.moved.uniform_()
    pruning.masked.eval()
    return pruning


def share_kept(pruning: ToBudget) -> float:
    """Of all multiplications, those behind masks of one."""
    masks = list(pruning.masked.masks.values())
    heads, units = (tuple(int(mask.kept.sum()) for mask in some) for some in (masks[::2], masks[1::2]))
    return macs(replace(SHAPE, heads=heads, units=units)) / macs(SHAPE)


def test_masks_shrink_with_the_schedule_down_to_the_budget(to_budget: ToBudget) -> None:
    shares = []
    for step in range(20):
        to_budget.before_step(step)
        shares.append(share_kept(to_budget))
    assert shares[:5] == [1.0] * 5
    assert shares == sorted(shares, reverse=True)
    allowed = [1 - (1 - (1 - (step - 4) / 16) ** 3) / 2 for step in range(5, 20)]
    assert all(found <= limit for found, limit in zip(shares[5:], allowed, strict=True))
    assert macs(shape_of(to_budget.kept_at(0.5), SHAPE)) <= 0.5 * macs(SHAPE)


def test_masked_it_answers_as_cut_out(to_budget: ToBudget) -> None:
    to_budget.before_step(20)
    kept = to_budget.kept_at(0.5)
    small = sliced(to_budget.masked.encoder, kept)
    assert share_kept(to_budget) == pytest.approx(macs(small.shape) / macs(SHAPE))
    torch.testing.assert_close(small(**INPUTS), to_budget.masked(**INPUTS), atol=1e-6, rtol=0)


def test_what_moves_is_worth_something(to_budget: ToBudget) -> None:
    for mask in to_budget.masked.masks.values():
        mask.moved.zero_()
    to_budget.masked(**INPUTS).square().sum().backward()
    to_budget.after_step(0)
    first, second = to_budget.worths()
    assert (len(first.heads), len(first.units)) == (4, 128)
    assert min(*first.heads, *first.units, *second.heads, *second.units) > 0
