"""The throttling threshold of a candidate: the number of users from which it leaves requests unserved."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor

from loadtest.crossing import Crossing, around, crossing_of
from loadtest.errors import LoadTestError
from loadtest.levels import LevelResult
from loadtest.search import is_adjacent


@dataclass(frozen=True, slots=True)
class Threshold:
    """The number of users from which more than a given share of requests is rejected, fails or times out."""

    users: float | None
    """Estimated between levels that lie close together; None when the levels only bound it."""
    bracket: tuple[int | None, int | None]
    """The largest level below the estimate and the smallest one above it."""
    text: str
    """For people: "52", "> 58", "< 1", or "48-64" where no level between the two was visited."""
    interval: tuple[float | None, float | None] = (None, None)
    """Of 95 %, within this run; an end that the levels do not bound is None."""

    @property
    def at_least(self) -> float:
        """The largest number of users that is taken to be held."""
        return self.users if self.users is not None else self.bracket[0] or 0


def throttling_threshold(levels: Sequence[LevelResult], share: float = 0.01) -> Threshold:
    """Where the unserved share crosses `share`; see `loadtest.crossing` for the estimate and its interval.

    Between levels more than a tenth apart an estimate would be the curve's and not the measurement's, so the bracket is
    given instead. Raises LoadTestError without levels.
    """
    visits = [level.visit for level in levels if level.attempts]
    if not visits:
        raise LoadTestError("No level measured a request; run the campaign again with a longer dwell.")
    crossing = crossing_of(visits, share)
    low, high = around((visit.users for visit in visits), crossing.users)
    if low is not None and high is not None and is_adjacent(low, high):
        return Threshold(crossing.users, (low, high), f"{crossing.users:.0f}", crossing.interval)
    return Threshold(None, (low, high), _bound(low, high, crossing), crossing.interval)


def _bound(low: int | None, high: int | None, crossing: Crossing) -> str:
    if high is None:
        # What is sure, which is less than the highest level where that was watched for too short a time.
        sure = crossing.interval[0]
        return "unknown" if sure is None else f"> {min(floor(sure), low or 0)}"
    return f"< {high}" if low is None else f"{low}\N{EN DASH}{high}"
