"""What two thresholds say of each other where they are no numbers: that of one candidate lies between 12 and 16 users,
that of the other between 30 and 42, so the other holds at least 30/16 as many, less what two starts of a server differ.

Runs that only bound a threshold do not come nearer to it with their number, so their bounds are not averaged: all of
theirs count, and those of the estimate (95 %) with the levels around it. Each bound of a ratio needs two ends to be
wrong together, or one by far, so it is wrong less often than either.
"""

from collections.abc import Sequence
from math import exp, hypot, log, sqrt
from typing import NamedTuple

from loadtest.results.comparison import Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import threshold_over
from loadtest.statistics.scatter import START_SCATTER, START_WEIGHT, quantile


class Bounds(NamedTuple):
    """Of a ratio, ours by theirs; None where it is not bounded."""

    least: float | None
    most: float | None

    @property
    def is_clear(self) -> bool:
        """Whether they exclude 1."""
        return (self.least is not None and self.least > 1) or (self.most is not None and self.most < 1)


class _Range(NamedTuple):
    """Where a threshold lies, and how much further by other starts of the server, as a logarithm."""

    low: float | None
    high: float | None
    beyond: float


def middle_of(threshold: Threshold) -> float | None:
    """The threshold, or the middle of the two levels it lies between, or what it lies below; None where it was never
    seen what is too much."""
    low, high = threshold.bracket
    if threshold.at is not None or high is None:
        return threshold.at
    return high if low is None else sqrt(low * high)


def threshold_bounds(ours: Sequence[Run], theirs: Sequence[Run], wrong: float = 0.05) -> Bounds:
    """Of the thresholds in users. `wrong` is the probability that the ratio lies beyond either bound."""
    our, their = _range_of(ours, wrong), _range_of(theirs, wrong)
    beyond = exp(hypot(our.beyond, their.beyond))
    least, most = _ratio(our.low, their.high), _ratio(our.high, their.low)
    return Bounds(None if least is None else least / beyond, None if most is None else most * beyond)


def _ratio(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under


def _range_of(runs: Sequence[Run], wrong: float) -> _Range:
    """Without anything, it is not bounded."""
    threshold, count = threshold_over(runs), max(1, len(runs))
    freedom = START_WEIGHT + count - 1
    wider = quantile(1 - wrong / 2, freedom) / quantile(0.975, freedom)
    (below, above), (low, high) = threshold.bracket, threshold.interval
    if threshold.at is not None:
        return _Range(_from(threshold.at, low, wider), _from(threshold.at, high, wider), 0.0)
    beyond = wider * quantile(0.975, freedom) * START_SCATTER / sqrt(count)
    low = None if below is None or low is None else min(below, low)
    return _Range(low, None if above is None or high is None else max(above, high), beyond)


def _from(middle: float, end: float | None, wider: float) -> float | None:
    return None if not end else middle * exp(wider * log(end / middle))
