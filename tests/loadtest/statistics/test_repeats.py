"""A threshold of several runs, and that its interval has the truth."""

from math import exp

import numpy as np
import pytest

from loadtest.results.comparison import Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import UNKNOWN, rate_threshold_over, threshold_over
from loadtest.statistics.scatter import START_SCATTER, mean_of
from tests.loadtest.statistics.simulated_runs import BETWEEN, WITHIN, run_of, runs_of


def bounded(low: float | None, high: float | None) -> Run:
    return Run(0, 0, "", threshold=Threshold(None, (low, high), "", (low, high)))


def test_it_is_the_geometric_mean_and_narrows_with_every_run() -> None:
    widths = []
    for count in (1, 2, 3, 5):
        found = threshold_over(runs_of(*[40.0, 41.0, 39.0, 40.5, 39.5][:count]))
        low, high = found.interval
        assert low is not None
        assert high is not None
        assert low < found.at < high  # type: ignore[operator]
        widths.append(high / low)
    assert widths == sorted(widths, reverse=True)
    assert threshold_over(runs_of(36.0, 49.0)).at == pytest.approx(42.0)
    # Student's of two runs that agree by chance would be far too narrow, and of two that do not, useless.
    assert 1.1 < widths[1] < 1.2


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_its_interval_has_the_truth_about_as_often_as_it_says(count: int) -> None:
    random, covered = np.random.default_rng(count), 0
    for _ in range(400):
        errors = random.normal(0, BETWEEN, count) + random.normal(0, WITHIN, count)
        low, high = threshold_over(runs_of(*(50 * np.exp(errors)).tolist())).interval
        covered += (low or 0) <= 50 <= (high or 0)
    assert covered >= 0.93 * 400


def test_runs_that_only_bound_it_give_a_bracket_unless_as_many_have_a_number() -> None:
    assert threshold_over([]) == UNKNOWN
    assert threshold_over([bounded(64, None)]).bracket == (64, None)
    both = threshold_over([bounded(48, 64), bounded(32, 48)])
    assert (both.at, both.bracket, both.text) == (None, (32, 64), "32\N{EN DASH}64")
    assert threshold_over([bounded(48, 64), bounded(64, None)]).text == "> 48"
    assert threshold_over([run_of(50), bounded(48, 64)]).at == pytest.approx(50)
    assert threshold_over([run_of(50), bounded(48, 64), bounded(48, 64)]).at is None


def test_the_rate_within_an_objective_is_averaged_alike() -> None:
    runs = [Run(block, 0, "", rate_threshold=run_of(at).threshold) for block, at in enumerate((120.0, 130.0))]
    assert rate_threshold_over(runs).text == "125"
    assert threshold_over(runs) == UNKNOWN


def test_many_runs_are_believed_more_than_what_is_usual() -> None:
    logs = [0.3 * (-1) ** place for place in range(40)]
    assert mean_of(logs, [0.0] * 40).variance == pytest.approx(0.09, rel=0.1)
    assert mean_of([0.0], [0.0]).variance == pytest.approx(START_SCATTER**2)
    assert mean_of([0.0], [0.0], starts=2).interval()[1] == pytest.approx(exp(2.776 * START_SCATTER * 2**0.5), rel=1e-3)


def test_a_run_that_found_little_does_not_spoil_the_others() -> None:
    sure, with_one_more = mean_of([0.0, 0.01, -0.01], [1e-4] * 3), mean_of([0.0, 0.01, -0.01, 0.3], [1e-4] * 3 + [0.04])
    assert with_one_more.half() < 1.1 * sure.half()
    assert abs(with_one_more.log) < 0.02


def test_runs_that_are_not_equally_sure_have_the_truth_as_often_and_a_narrower_interval() -> None:
    random = np.random.default_rng(3)
    covered, halves, plain = 0, [], []
    for _ in range(1000):
        within = random.choice([0.01, 0.03, 0.1], 3)
        logs = random.normal(0, BETWEEN, 3) + random.normal(0, within)
        mean = mean_of(logs.tolist(), (within**2).tolist())
        covered += abs(mean.log) <= mean.half()
        halves.append(mean.half())
        plain.append(mean_of([0.0] * 3, [float((within**2).mean())] * 3).half())
    assert covered >= 0.94 * 1000
    assert np.mean(halves) < np.mean(plain)
