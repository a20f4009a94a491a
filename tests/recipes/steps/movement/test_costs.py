from dataclasses import replace
from pathlib import Path

import pytest

from networks.encoder.counts import encoder_parameters, macs_per_token
from networks.encoder.shape import EncoderShape
from recipes.steps.movement.costs import CostOf, KeptLatencies, linear_costs
from tests.tiny import tiny_shape

SHAPE = tiny_shape(heads=(4, 1, 3), units=(64, 40, 33))


def macs(shape: EncoderShape) -> float:
    return macs_per_token(shape, 12)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
@pytest.mark.parametrize("cost_of", [macs, encoder_parameters])
def test_counts_are_sums_over_heads_and_units(cost_of: CostOf, share: float) -> None:
    costs = linear_costs(cost_of, SHAPE, share)
    for shape in (SHAPE, replace(SHAPE, heads=(1, 1, 2), units=(3, 40, 7))):
        assert costs.of(shape) == pytest.approx(cost_of(shape), rel=1e-12)


def test_a_part_that_seems_to_take_no_time_costs_a_little_all_the_same() -> None:
    costs = linear_costs(lambda shape: 2.0, SHAPE, 0.5)
    assert costs.head > 0
    assert costs.unit > 0
    assert costs.of(SHAPE) == pytest.approx(2.0)


def test_a_latency_is_measured_once_also_by_another_process(tmp_path: Path) -> None:
    measured: list[EncoderShape] = []

    def latency_s(shape: EncoderShape) -> float:
        measured.append(shape)
        return 0.5 + len(measured)

    smaller = replace(SHAPE, units=(32, 32, 32))
    first = KeptLatencies(tmp_path / "latencies.json", latency_s)
    assert [first(SHAPE), first(smaller), first(SHAPE)] == [1.5, 2.5, 1.5]
    second = KeptLatencies(tmp_path / "latencies.json", latency_s)
    assert [second(smaller), second(SHAPE)] == [2.5, 1.5]
    assert measured == [SHAPE, smaller]
