import random

import pytest

from serving.cost import Cost, fit_cost


@pytest.mark.parametrize(
    "cost",
    [
        Cost(0.001, 0.0001, 0.0000002),
        Cost(0.0, 0.0001, 0.0000002),
        Cost(0.001, 0.0001, 0.0),
        Cost(0.0, 0.0001, 0.0),
    ],
)
def test_known_coefficients_are_recovered(cost: Cost) -> None:
    fitted = fit_cost([(tokens, cost.seconds(tokens)) for tokens in (9, 64, 128, 256)])
    assert (fitted.base_s, fitted.per_token_s, fitted.per_token2_s) == pytest.approx(
        (cost.base_s, cost.per_token_s, cost.per_token2_s), rel=1e-6, abs=1e-9
    )


def test_seconds_are_the_polynomial() -> None:
    assert Cost(1.0, 2.0, 3.0).seconds(10) == 321.0


def test_no_term_is_negative_and_more_tokens_never_cost_less() -> None:
    chance = random.Random(3)
    for _ in range(500):
        cost = fit_cost([(tokens, chance.uniform(1e-4, 1e-2)) for tokens in (9, 63, 126, 252)])
        assert min(cost.base_s, cost.per_token_s, cost.per_token2_s) >= 0
        assert 0 < cost.seconds(1) <= cost.seconds(100) <= cost.seconds(256)


def test_a_cost_that_falls_with_tokens_is_taken_for_noise() -> None:
    assert fit_cost([(10, 0.04), (20, 0.03), (40, 0.02)]).per_token_s >= 0


def test_samples_of_one_size_give_that_cost() -> None:
    assert fit_cost([(9, 0.002)] * 4).seconds(9) == pytest.approx(0.002)
