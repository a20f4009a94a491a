"""From levels and thresholds to answers: the level to compare at, and the Pareto front."""

from collections.abc import Mapping, Sequence

from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold


def below_threshold(level: LevelResult, threshold: Threshold) -> bool:
    """Whether the level lies in the part of the curve where almost nothing is rejected."""
    return level.users <= threshold.at_least


def common_level(candidates: Sequence[tuple[Sequence[LevelResult], Threshold]]) -> int | None:
    """The largest number of users at which every candidate has a p95 and is below its threshold, if there is one."""
    shared = [
        {level.users for level in levels if level.p95_ms is not None and below_threshold(level, threshold)}
        for levels, threshold in candidates
    ]
    return max(set.intersection(*shared), default=None) if shared else None


def light_level(candidates: Sequence[Sequence[LevelResult]]) -> int | None:
    """The smallest number of users that every candidate was measured at, if there is one."""
    shared = [{level.users for level in levels if level.ok} for levels in candidates]
    return min(set.intersection(*shared), default=None) if shared else None


def level_at(levels: Sequence[LevelResult], users: int | None) -> LevelResult | None:
    """The level with this number of users."""
    return next((level for level in levels if level.users == users), None)


def pareto_front(points: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
    """Names of the points (p95 in ms, quality) that no other beats in one without losing in the other, by p95."""

    def dominated(point: tuple[float, float]) -> bool:
        p95_ms, quality = point
        return any(other != point and other[0] <= p95_ms and other[1] >= quality for other in points.values())

    front = [name for name, point in points.items() if not dominated(point)]
    return tuple(sorted(front, key=lambda name: points[name]))
