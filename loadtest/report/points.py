"""The points of a chart: what levels, pooled over the runs of a candidate, say of one measure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from loadtest.report.wording import is_bracket
from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import threshold_over

Measure = Callable[[LevelResult], float | None]


@dataclass(frozen=True, slots=True)
class Spread:
    """The mean of the runs with the least and the greatest of them."""

    value: float
    low: float
    high: float
    runs: int


@dataclass(frozen=True, slots=True)
class Point:
    """One measure at one number of users."""

    level: LevelResult
    """The level, or one of those that were pooled."""
    at: float
    spread: Spread
    is_sound: bool
    is_held: bool
    """Whether it lies below the threshold, or at it."""


def spread_of(values: Iterable[float | None]) -> Spread | None:
    """Of those that were measured; None where there is none."""
    found = [value for value in values if value is not None]
    return Spread(sum(found) / len(found), min(found), max(found), len(found)) if found else None


def points_of(candidate: CandidateReport, measure: Measure) -> tuple[Point, ...]:
    """By rising users, one for the sound levels of each number of users, and one for each that is doubted."""
    held = threshold_over(candidate.runs).at_least
    sound: dict[float, list[LevelResult]] = {}
    for level in candidate.levels:
        if level.is_sound:
            sound.setdefault(level.at, []).append(level)
    groups = [*sound.values(), *([level] for level in candidate.levels if not level.is_sound)]
    points = [
        Point(group[0], group[0].at, spread, group[0].is_sound, group[0].at <= held)
        for group in groups
        if (spread := spread_of(map(measure, group)))
    ]
    return tuple(sorted(points, key=lambda point: point.at))


def lines_of(points: Sequence[Point], threshold: Threshold) -> tuple[Sequence[Point], Sequence[Point] | None]:
    """The sound points that a line may join, and the two around a threshold that is only bounded, where it is so."""
    sound = [point for point in points if point.is_sound]
    held = [point for point in sound if point.is_held]
    beyond = [point for point in sound if not point.is_held]
    if not held or not beyond:
        return held, None
    ends = held[-1], beyond[0]
    return (held, ends) if is_bracket(threshold) else ([*held, ends[1]], None)


def users_of(report: Report) -> list[float]:
    """Of every level."""
    return [level.at for candidate in report.candidates for level in candidate.levels]


def beyond_all(report: Report) -> float | None:
    """From which number of users no candidate serves all requests; None where one of them does at every level."""
    ends = [_end(threshold_over(candidate.runs)) for candidate in report.candidates if candidate.levels]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _end(threshold: Threshold) -> float | None:
    return threshold.bracket[1] if is_bracket(threshold) or threshold.at is None else threshold.at
