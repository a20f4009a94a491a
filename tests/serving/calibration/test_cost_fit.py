import random

import pytest

from serving.calibration.cost_fit import fit_cost
from serving.wire.cost import Cost

SHAPES = [(1, 32), (1, 64), (2, 32), (1, 128), (4, 32), (1, 256), (2, 128), (8, 32)]


@pytest.mark.parametrize(
    "cost",
    [
        Cost(1e-3, 1e-4, 2e-7, 3e-7),
        Cost(0.0, 1e-4, 2e-7, 0.0),
        Cost(1e-3, 1e-4, 0.0, 3e-7),
        Cost(1e-3, 1e-4, 0.0, 0.0),
        Cost(0.0, 1e-4, 0.0, 0.0),
    ],
)
def test_known_factors_are_recovered(cost: Cost) -> None:
    fitted = fit_cost([(rows, width, cost.rows_seconds(rows, width)) for rows, width in SHAPES])
    for rows, width in [*SHAPES, (3, 50), (1, 200)]:
        assert fitted.rows_seconds(rows, width) == pytest.approx(cost.rows_seconds(rows, width), rel=1e-6)


def test_seconds_are_the_polynomial() -> None:
    assert Cost(1.0, 2.0, 3.0, 0.0).seconds(10) == 321.0
    assert Cost(1.0, 2.0, 3.0, 4.0).rows_seconds(2, 5) == 1 + 2 * 10 + 3 * 50 + 4 * 100


def test_no_term_is_negative_and_more_tokens_never_cost_less() -> None:
    chance = random.Random(3)
    for _ in range(200):
        cost = fit_cost([(rows, width, chance.uniform(1e-4, 1e-2)) for rows, width in SHAPES])
        assert min(cost.base_s, cost.per_token_s, cost.per_row_token2_s, cost.per_call_token2_s) >= 0
        assert 0 < cost.seconds(1) <= cost.seconds(100) <= cost.seconds(256)


def test_samples_of_one_size_give_that_cost() -> None:
    assert fit_cost([(1, 9, 0.002)] * 4).seconds(9) == pytest.approx(0.002)


def test_where_attention_costs_a_full_call_is_laid_out_in_narrow_rows() -> None:
    cost = Cost(0.0, 0.0, 1e-6, 0.0)
    assert cost.layout_seconds(256) == pytest.approx(cost.rows_seconds(8, 32))
