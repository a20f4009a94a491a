"""The front: candidates that no other beats in quality or response time beyond what is noise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from loadtest.results.comparison import CandidateReport, Report, Run
from loadtest.results.levels import LevelResult, level_at
from loadtest.statistics.accuracy import is_below_floor, is_clearly_less
from loadtest.statistics.ratios import level_ratio, of_p95
from loadtest.statistics.scatter import mean_of

LevelOf = Callable[[Run], LevelResult | None]


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A candidate between response time and quality."""

    name: str
    p95_ms: float
    """Geometric mean of its runs."""
    p95_interval_ms: tuple[float, float]
    quality: float
    quality_interval: tuple[float, float] | None
    is_on_front: bool
    """No other is clearly better in one without being clearly worse in the other."""
    is_below_floor: bool
    """It clearly loses more than `max_drop` of the first candidate's quality, and is never on the front."""


@dataclass(frozen=True, slots=True)
class Front:
    """Every candidate with both measures, by response time. They are of the common rate, or else of `users`."""

    points: tuple[FrontPoint, ...]
    rate_per_s: float | None
    users: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of those on it."""
        return tuple(point.name for point in self.points if point.is_on_front)


def front_of(report: Report) -> Front:
    """The front at the common rate; where there is none, at the fewest users that all were measured at.

    Levels that were doubted are none of it.
    """
    at_rate = any(of_p95(run.common_rate) for one in report.candidates for run in one.runs)
    users = None if at_rate else _light_users(report)
    level_of: LevelOf = (lambda run: run.common_rate) if at_rate else (lambda run: level_at(run.levels, users))
    first = report.candidates[0].quality
    points = {one.name: found for one in report.candidates if (found := _point(one, level_of))}
    floor = {
        one.name: is_below_floor(one.quality, first, report.max_drop) for one in report.candidates if one.name in points
    }
    placed = [one for one in report.candidates if one.name in points and not floor[one.name]]
    on_front = {one.name for one in placed if not any(_beats(other, one, level_of) for other in placed)}
    marked = [
        replace(point, is_on_front=name in on_front, is_below_floor=floor[name]) for name, point in points.items()
    ]
    rate = report.common_rate_per_s if at_rate else None
    return Front(tuple(sorted(marked, key=lambda one: one.p95_ms)), rate, users)


def _point(candidate: CandidateReport, level_of: LevelOf) -> FrontPoint | None:
    figures = [figure for run in candidate.runs if (figure := of_p95(level_of(run)))]
    if not figures or candidate.quality is None:
        return None
    mean = mean_of([one.log for one in figures], [one.variance for one in figures])
    quality = candidate.quality
    return FrontPoint(
        candidate.name,
        mean.value,
        mean.interval(),
        quality.value,
        quality.interval,
        is_on_front=False,
        is_below_floor=False,
    )


def _beats(ours: CandidateReport, theirs: CandidateReport, level_of: LevelOf) -> bool:
    """Clearly better in one, and not clearly worse in the other."""
    if ours is theirs or ours.quality is None or theirs.quality is None:
        return False
    faster = level_ratio(ours.runs, theirs.runs, level_of)
    is_faster = bool(faster and faster.is_clear and faster.value > 1)
    is_slower = bool(faster and faster.is_clear and faster.value < 1)
    better, worse = is_clearly_less(theirs.quality, ours.quality), is_clearly_less(ours.quality, theirs.quality)
    return (is_faster and not worse) or (better and not is_slower)


def _light_users(report: Report) -> int | None:
    """The fewest users at which every candidate has a level that can be believed."""
    shared = [_sound(one.levels) for one in report.candidates if one.levels]
    return min(set.intersection(*shared), default=None) if shared else None


def _sound(levels: Sequence[LevelResult]) -> set[int]:
    return {level.users for level in levels if of_p95(level)}
