"""How many times more one candidate does than another, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.results.comparison import Run


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


def threshold_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Ratio | None:
    """Of the thresholds in users, paired by block; None where no block has a number for both."""
    raise NotImplementedError


def rate_threshold_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Ratio | None:
    """Of the highest rates within the objective, paired by block; None where no block has a number for both."""
    raise NotImplementedError


def response_ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> Ratio | None:
    """Theirs by ours (more is better) of the p95 at the common rate, paired by block; None where no block has both."""
    raise NotImplementedError
