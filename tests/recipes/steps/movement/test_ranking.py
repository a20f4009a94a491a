import random

import pytest

from networks.encoder.counts import macs_per_token
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import KeptLayer, everything
from recipes.steps.movement.costs import linear_costs
from recipes.steps.movement.ranking import Worth, kept_within, least_shape, shape_of, without_negligible
from tests.tiny import tiny_shape

SHAPE = tiny_shape(heads=(8, 6, 2), units=(256, 100, 64))


def macs(shape: EncoderShape) -> float:
    return macs_per_token(shape, 20)


COSTS = linear_costs(macs, SHAPE, 0.5)


def some_worths(seed: int) -> list[Worth]:
    dice = random.Random(seed)
    sizes = zip(SHAPE.heads, SHAPE.units, strict=True)
    return [Worth([dice.random() * 100 for _ in range(h)], [dice.random() for _ in range(u)]) for h, u in sizes]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.35, 0.5, 0.8, 0.99])
def test_what_is_kept_costs_no_more_than_the_budget_and_nearly_as_much(share: float, seed: int) -> None:
    kept = kept_within(share * macs(SHAPE), COSTS, some_worths(seed), everything(SHAPE))
    found = macs(shape_of(kept, SHAPE))
    assert found <= share * macs(SHAPE)
    assert found > share * macs(SHAPE) - max(COSTS.head, 32 * COSTS.unit)


def test_the_best_by_worth_for_the_cost_stay() -> None:
    worths = [Worth([0.0] * heads, [0.0] * units) for heads, units in zip(SHAPE.heads, SHAPE.units, strict=True)]
    worths[0].heads[5] = worths[0].heads[2] = worths[2].heads[1] = 1.0
    worths[1].units[40:72] = [1.0] * 32
    limit = macs(least_shape(SHAPE)) + COSTS.head
    kept = kept_within(limit, COSTS, worths, everything(SHAPE))
    assert [len(one.heads) for one in kept] == [2, 1, 1]
    assert (kept[0].heads, kept[2].heads) == ((2, 5), (1,))
    assert kept[1].units == tuple(range(40, 72))


def test_units_stay_in_thirty_twos_as_far_as_they_go() -> None:
    kept = kept_within(0.6 * macs(SHAPE), COSTS, some_worths(1), everything(SHAPE))
    assert all(len(one.units) % 32 in (0, SHAPE.units[one.layer] % 32) for one in kept)


def test_what_went_does_not_come_back() -> None:
    before = kept_within(0.6 * macs(SHAPE), COSTS, some_worths(1), everything(SHAPE))
    after = kept_within(0.6 * macs(SHAPE), COSTS, some_worths(2), before)
    assert after == before


def test_a_head_and_some_units_stay_in_each_layer() -> None:
    kept = kept_within(0.0, COSTS, some_worths(1), everything(SHAPE))
    assert shape_of(kept, SHAPE) == least_shape(SHAPE)


def test_a_layer_of_next_to_no_worth_is_left_out_but_never_the_last() -> None:
    worths = [Worth([1.0], [1.0]), Worth([1e-5], [1e-5]), Worth([0.1], [0.0])]
    kept = [KeptLayer(layer, (0,), (0,)) for layer in range(3)]
    assert without_negligible(kept, worths) == [kept[0], kept[2]]
    assert without_negligible(kept[1:2], worths) == kept[1:2]
    nothing = [Worth([0.0], [0.0])] * 3
    assert without_negligible(kept, nothing) == kept
