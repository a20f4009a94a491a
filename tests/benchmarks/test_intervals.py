import numpy as np
import pytest

from benchmarks.harness.intervals import ratio_interval


def test_the_ends_are_those_of_wilcoxon_s_tables() -> None:
    # Of 12 pairs there are 78 means; by the tables, the 14th from either end bounds 95 %.
    ratios = np.exp(np.linspace(-0.1, 0.12, 12))
    logs = np.log(ratios)
    means = sorted((a + b) / 2 for i, a in enumerate(logs) for b in logs[i:])
    found = ratio_interval(ratios.tolist())
    assert (found.low, found.high) == pytest.approx((np.exp(means[13]), np.exp(means[-14])))
    assert found.ratio == pytest.approx(np.exp(0.01))


def test_one_slow_minute_moves_the_ratio_little() -> None:
    found = ratio_interval([0.99, 1.0, 1.01, 1.0, 0.99, 1.01, 1.0, 0.99, 1.01, 1.0, 1.0, 0.3])
    assert found.ratio == pytest.approx(1.0, abs=0.01)
    assert found.high is not None
    assert found.high < 1.02


def test_fewer_than_six_pairs_have_no_interval_of_95_percent() -> None:
    assert ratio_interval([0.9, 1.1, 1.0, 0.9, 1.1]).low is None
    assert ratio_interval([0.9, 1.1, 1.0, 0.9, 1.1, 1.0]).low is not None


def test_the_interval_holds_the_truth_in_95_of_100_runs() -> None:
    rng = np.random.default_rng(0)
    found = [ratio_interval(np.exp(0.1 * rng.standard_t(3, 12)).tolist()) for _ in range(500)]
    held = [one.low is not None and one.high is not None and one.low <= 1.0 <= one.high for one in found]
    assert 0.93 < np.mean(held) < 0.98
