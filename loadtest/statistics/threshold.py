"""The throttling threshold of a candidate: the number of users from which it leaves requests unserved."""

from collections.abc import Sequence
from math import floor

from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.results.visits import Visit
from loadtest.statistics.crossing import Crossing, around, crossing_of
from loadtest.statistics.search import is_adjacent


def throttling_threshold(levels: Sequence[LevelResult], share: float = 0.01) -> Threshold:
    """Where the unserved share crosses `share`, from the levels that count for it: those that can be believed, and
    those of which all that is doubted is that requests failed.

    Raises LoadTestError where there are none.
    """
    return threshold_of([level.visit for level in levels if level.attempts and level.counts], share)


def threshold_of(visits: Sequence[Visit], share: float) -> Threshold:
    """Where the share of bad requests crosses `share`; see `loadtest.statistics.crossing` for how it is estimated.

    Between levels more than a tenth apart an estimate would be the curve's and not the measurement's, so the bracket is
    given instead. Raises LoadTestError without visits.
    """
    if not visits:
        raise LoadTestError("No level measured a request that can be believed; run the campaign again, for longer.")
    crossing = crossing_of(visits, share)
    low, high = around((visit.at for visit in visits), crossing.at)
    if low is not None and high is not None and is_adjacent(low, high):
        return Threshold(crossing.at, (low, high), f"{crossing.at:.0f}", crossing.interval)
    return Threshold(None, (low, high), _bound(low, high, crossing), crossing.interval)


def _bound(low: float | None, high: float | None, crossing: Crossing) -> str:
    if high is None:
        # What is sure, which is less than the highest level where that was watched for too short a time.
        sure = crossing.interval[0]
        return "unknown" if sure is None else f"> {min(floor(sure), low or 0):g}"
    return f"< {high:g}" if low is None else f"{low:g}\N{EN DASH}{high:g}"
