"""Figures of two comparisons that have no block in common."""

import numpy as np
import pytest

from loadtest.statistics.estimates import Estimate, ratio_of_estimates
from loadtest.statistics.scatter import START_SCATTER, mean_of


def test_a_ratio_has_the_scatter_of_both() -> None:
    found = ratio_of_estimates(Estimate(30.0, (27.0, 33.0)), Estimate(20.0, (20.0, 20.0)))
    assert (found.value, *found.interval) == pytest.approx((1.5, 1.35, 1.65))
    both = ratio_of_estimates(Estimate(30.0, (27.0, 33.0)), Estimate(20.0, (18.0, 22.0)))
    assert both.interval[0] is not None
    assert 1.35 / 1.1 < both.interval[0] < 1.35


def test_an_end_that_is_not_bounded_leaves_that_of_the_ratio_open() -> None:
    found = ratio_of_estimates(Estimate(30.0, (27.0, None)), Estimate(20.0, (18.0, 22.0)))
    assert found.interval[0] is not None
    assert found.interval[1] is None
    assert ratio_of_estimates(Estimate(20.0, (18.0, 22.0)), Estimate(30.0, (27.0, None))).interval[0] is None


def test_the_interval_of_a_ratio_has_the_truth_in_about_95_of_100() -> None:
    random = np.random.default_rng(0)

    def estimate(log: float) -> Estimate:
        mean = mean_of(random.normal(log, np.hypot(START_SCATTER, 0.02), 3).tolist(), [0.02**2] * 3)
        return Estimate(mean.value, mean.interval())

    ratios = [ratio_of_estimates(estimate(0.4), estimate(0.0)).interval for _ in range(400)]
    assert sum((low or 0) <= np.exp(0.4) <= (high or 0) for low, high in ratios) >= 370
