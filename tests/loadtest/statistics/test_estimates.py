"""Figures of two comparisons that have no block in common."""

import numpy as np
import pytest

from loadtest.statistics.estimates import Estimate, estimate_of, ratio_of_estimates


def test_of_several_runs_it_is_the_geometric_mean_with_students_interval() -> None:
    found = estimate_of([10.0, 20.0, 40.0])
    assert found is not None
    assert found.value == pytest.approx(20)
    # A deviation of ln 2 and a quantile of 4.303, by the root of three.
    factor = 2 ** (4.303 / 3**0.5)
    assert (found.value, *found.interval) == pytest.approx((20, 20 / factor, 20 * factor), rel=1e-3)


def test_a_single_run_says_nothing_of_its_scatter() -> None:
    assert estimate_of([10.0]) is None
    assert estimate_of([]) is None


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
    inside = 0
    for _ in range(400):
        over, under = (estimate_of(np.exp(random.normal(mean, 0.03, 4)).tolist()) for mean in (0.4, 0.0))
        assert over is not None
        assert under is not None
        low, high = ratio_of_estimates(over, under).interval
        assert low is not None
        assert high is not None
        inside += low <= np.exp(0.4) <= high
    assert inside >= 370
