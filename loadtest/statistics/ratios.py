"""How many times more one candidate does than another, and how sure that is.

Ratios are of runs in the same block, which share what the machine did meanwhile. Their logarithms are averaged, with
the interval of `loadtest.statistics.scatter`: with a single block the variances of the two figures and that of two
starts of a server are added (the delta method), with more the blocks' own scatter counts ever more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log
from typing import NamedTuple

from loadtest.results.comparison import Run
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import log_variance
from loadtest.statistics.scatter import LogMean, mean_of

# How many response times near each other are worth one that stands alone.
ALIKE = 3
# Of the logarithms of two percentiles that are as good as equal.
_LEAST_SPREAD = 0.01
# How much of the density at the p95 is that above it, on a logarithmic scale: so it is of exponential and of lognormal
# response times.
_OF_ABOVE = 0.6


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours by theirs, such that more is better."""

    value: float
    interval: tuple[float | None, float | None]
    """Of 95 %; an end that is not bounded is None."""
    pairs: int
    """Blocks in which both have it."""
    is_within_run: bool
    """Of one block: how much starts of a server differ was not measured, so a usual scatter is taken for it."""

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes 1."""
        low, high = self.interval
        return (low is not None and low > 1) or (high is not None and high < 1)


class Figure(NamedTuple):
    """A run's, as a logarithm, and its variance within the run."""

    log: float
    variance: float


def threshold_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Ratio | None:
    """Of the thresholds in users, paired by block; None where no block has a number for both."""
    return ratio_of(log_threshold_ratio(ours, theirs))


def rate_threshold_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Ratio | None:
    """Of the highest rates within the objective, paired by block; None where no block has a number for both."""
    return ratio_of(_paired(ours, theirs, lambda run: _of_threshold(run.rate_threshold)))


def response_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Ratio | None:
    """Theirs by ours (more is better) of the p95 at the common rate, paired by block; None where no block has both."""
    return level_ratio(ours, theirs, lambda run: run.common_rate)


def level_ratio(
    ours: Sequence[Run], theirs: Sequence[Run], level_of: Callable[[Run], LevelResult | None]
) -> Ratio | None:
    """Theirs by ours (more is better) of the p95 of a level, paired by block; None where no block has both."""
    return ratio_of(_paired(theirs, ours, lambda run: of_p95(level_of(run))))


def log_threshold_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> LogMean | None:
    """What `threshold_ratio` is made from."""
    return _paired(ours, theirs, lambda run: _of_threshold(run.threshold))


def ratio_of(mean: LogMean | None) -> Ratio | None:
    return Ratio(mean.value, mean.interval(), mean.runs, mean.runs == 1) if mean else None


def of_p95(level: LevelResult | None) -> Figure | None:
    """The logarithm of a level's p95, and its variance; None where it cannot be believed or has too few answers.

    The variance of a quantile q of n values is q(1 - q) / (n f²) with the density f there (David and Nagaraja, "Order
    Statistics", 2003, chapter 10). It lies between the mean ones down to the median and up to the p99. Response times
    in a queue resemble their neighbours, so they are taken for fewer.
    """
    if level is None or not level.is_sound or not level.p95_ms or not level.p50_ms:
        return None
    density = 0.45 / max(_LEAST_SPREAD, log(level.p95_ms / level.p50_ms))
    if level.p99_ms:
        above = 0.04 / max(_LEAST_SPREAD, log(level.p99_ms / level.p95_ms))
        density = density ** (1 - _OF_ABOVE) * above**_OF_ABOVE
    return Figure(log(level.p95_ms), 0.95 * 0.05 / (level.ok / ALIKE * density**2))


def _of_threshold(threshold: Threshold | None) -> Figure | None:
    variance = log_variance(threshold)
    return Figure(log(threshold.at), variance) if threshold and threshold.at and variance is not None else None


def _paired(over: Sequence[Run], under: Sequence[Run], figure: Callable[[Run], Figure | None]) -> LogMean | None:
    """Of the ratio in each block that has both; without an interval of its own, of two starts of a server."""
    below = {run.block: figure(run) for run in under}
    both = [(one, other) for run in over if (one := figure(run)) and (other := below.get(run.block))]
    if not both:
        return None
    logs = [one.log - other.log for one, other in both]
    return mean_of(logs, [one.variance + other.variance for one, other in both], starts=2)
