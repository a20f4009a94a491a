"""From levels to answers: the throttling threshold, the level to compare at, and the Pareto front."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression

from loadtest.cliff import is_cliff
from loadtest.errors import LoadTestError
from loadtest.levels import LevelResult


@dataclass(frozen=True, slots=True)
class Threshold:
    """The number of users from which more than a given share of requests is rejected."""

    users: float | None
    """Interpolated; None when the levels only bound it."""
    bracket: tuple[int | None, int | None]
    """The largest level at or under the share and the smallest one over it, of the monotone fit."""
    text: str
    """For people: "52", "> 64", "< 1", or "48-64" where the rejections set in like a cliff between two levels."""

    @property
    def at_least(self) -> float:
        """The largest number of users that is known to be held."""
        return self.users if self.users is not None else self.bracket[0] or 0


def throttling_threshold(levels: Sequence[LevelResult], reject_threshold: float = 0.01) -> Threshold:
    """Where the rejected share, made monotone over the users, crosses `reject_threshold`.

    The fit is isotonic regression weighted by the attempts (pool adjacent violators); the crossing is interpolated
    linearly between neighbouring levels. If the share jumps from under the threshold to over 20 % between levels more
    than 10 % apart, the interpolation would be invented and the bracket is given instead. Raises LoadTestError without
    levels.
    """
    ordered = sorted((level for level in levels if level.attempts), key=lambda level: level.users)
    if not ordered:
        raise LoadTestError("No level measured a request; run the campaign again with a longer dwell.")
    users = [level.users for level in ordered]
    fit = isotonic_regression(
        [level.rejected_share for level in ordered], weights=[level.attempts for level in ordered]
    ).x
    over = np.flatnonzero(fit > reject_threshold)
    if over.size == 0:
        return Threshold(None, (users[-1], None), f"> {users[-1]}")
    first = int(over[0])
    if first == 0:
        return Threshold(None, (None, users[0]), f"< {users[0]}")
    good, bad = users[first - 1], users[first]
    if is_cliff(good, bad, fit[first]):
        return Threshold(None, (good, bad), f"{good}\N{EN DASH}{bad}")
    crossing = float(np.interp(reject_threshold, fit[first - 1 : first + 1], (good, bad)))
    return Threshold(crossing, (good, bad), f"{crossing:.0f}")


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
