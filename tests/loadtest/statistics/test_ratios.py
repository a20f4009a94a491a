from dataclasses import replace

import numpy as np
import pytest

from loadtest.results.comparison import Run
from loadtest.statistics.ratios import Ratio, of_p95, rate_threshold_ratio, response_ratio, threshold_ratio
from tests.loadtest.examples import level
from tests.loadtest.statistics.simulated_runs import runs_of


def at_rate(*p95_ms: float, **changes: float) -> list[Run]:
    levels = [level(60, p50_ms=one / 2, p95_ms=one, p99_ms=1.5 * one, **changes) for one in p95_ms]
    return [Run(block, 0, "", common_rate=one) for block, one in enumerate(levels)]


def ends(ratio: Ratio | None) -> tuple[float, float]:
    assert ratio is not None
    low, high = ratio.interval
    assert low is not None
    assert high is not None
    return low, high


def test_what_a_block_does_to_both_cancels() -> None:
    ours, theirs = runs_of(60, 90, 45), runs_of(40, 60, 30)
    ratio = threshold_ratio(ours, theirs)
    assert ratio is not None
    assert ratio.value == pytest.approx(1.5)
    assert (ratio.pairs, ratio.is_within_run) == (3, False)
    assert ratio.is_clear
    low, high = ends(ratio)
    assert 1.4 < low < high < 1.61


def test_only_blocks_that_have_both_count() -> None:
    ours, theirs = runs_of(60, 90, 45), runs_of(40, 60)
    assert threshold_ratio(ours, theirs[1:]) == threshold_ratio(ours[1:2], theirs[1:])
    assert threshold_ratio(ours[2:], theirs) is None
    assert threshold_ratio([replace(ours[0], threshold=None)], theirs) is None


def test_one_block_says_so_and_is_less_sure() -> None:
    one, three = (threshold_ratio(runs_of(*[60.0] * n), runs_of(*[50.0] * n)) for n in (1, 3))
    assert one is not None
    assert one.is_within_run
    assert ends(one)[0] < ends(three)[0]


def test_of_response_times_more_is_better_too() -> None:
    ratio = response_ratio(at_rate(20, 22, 21), at_rate(40, 44, 42))
    assert ratio is not None
    assert ratio.value == pytest.approx(2)
    assert ratio.is_clear
    assert response_ratio(at_rate(20), [Run(0, 0, "")]) is None


def test_doubted_levels_have_no_response_time() -> None:
    assert of_p95(level(60, doubts=("it was not steady.",))) is None
    assert response_ratio(at_rate(20, doubts=("it was not steady.",)), at_rate(40)) is None  # type: ignore[arg-type]


def test_the_variance_of_a_p95_is_that_of_repeated_samples() -> None:
    random = np.random.default_rng(0)
    samples = np.exp(random.normal(3, 0.5, (400, 300)))
    found = np.log(np.percentile(samples, 95, axis=1)).std()
    p50, p95, p99 = (float(np.percentile(samples, percent)) for percent in (50, 95, 99))
    # It takes response times for a third as many, as they resemble their neighbours.
    one = of_p95(level(60, attempts=900, p50_ms=p50, p95_ms=p95, p99_ms=p99))
    assert one is not None
    assert one.variance**0.5 == pytest.approx(found, rel=0.15)


def test_rates_within_an_objective_are_compared_alike() -> None:
    ours, theirs = ([Run(0, 0, "", rate_threshold=runs_of(at)[0].threshold)] for at in (150, 100))
    ratio = rate_threshold_ratio(ours, theirs)
    assert ratio is not None
    assert ratio.value == pytest.approx(1.5)
