"""Which number of users comes next."""

from collections.abc import Sequence

from loadtest.cliff import is_cliff
from loadtest.levels import LevelResult
from loadtest.settings import Campaign

_REFINING_LEVELS = 3


def next_level(campaign: Campaign, done: Sequence[LevelResult]) -> int | None:
    """Users of the next level, or None when the campaign is over. `done` is in the order of visit.

    Given levels are visited in their order until one leaves more than `stop_share` of its attempts unserved. `auto`
    doubles from `first_users` until a level leaves more than `reject_threshold` unserved or `max_users` is reached, and
    then visits up to three levels between the last good and the first bad one, in rising order until one is bad. Where
    the unserved share still jumps, up to three more are visited between the two levels around the jump.
    """
    if campaign.levels == "auto":
        return _next_auto(campaign, done)
    if done and done[-1].unserved_share > campaign.stop_share:
        return None
    return campaign.levels[len(done)] if len(done) < len(campaign.levels) else None


def _next_auto(campaign: Campaign, done: Sequence[LevelResult]) -> int | None:
    doubling = _doubling(campaign.first_users, campaign.max_users)
    unserved = {level.users: level.unserved_share for level in done}
    bad = {users for users, share in unserved.items() if share > campaign.reject_threshold}
    if not bad:
        return doubling[len(done)] if len(done) < len(doubling) else None
    between = levels_between(*_around_throttling(doubling, bad))
    if (users := _unvisited(between, done, min(bad))) is not None:
        return users
    # Of the levels so far, so that these two stay while others between them are visited.
    highest_good, lowest_bad = _around_throttling((*doubling, *between), bad)
    if is_cliff(highest_good, lowest_bad, unserved[lowest_bad]):
        return _unvisited(levels_between(highest_good, lowest_bad), done, min(bad))
    return None


def _around_throttling(levels: Sequence[int], bad: set[int]) -> tuple[int, int]:
    """The lowest of these levels that is bad, after the next lower one, which is 0 if there is none."""
    lowest_bad = min(bad.intersection(levels))
    return max((users for users in levels if users < lowest_bad), default=0), lowest_bad


def _unvisited(levels: Sequence[int], done: Sequence[LevelResult], limit: int) -> int | None:
    """The next of these levels, in rising order; none above one that is bad."""
    visited = {level.users for level in done}
    return next((users for users in levels if users < limit and users not in visited), None)


def _doubling(first: int, last: int) -> tuple[int, ...]:
    return (first, *_doubling(2 * first, last)) if first < last else (last,)


def levels_between(good: int, bad: int) -> tuple[int, ...]:
    """Up to three whole numbers spread evenly between the two, both excluded."""
    step = (bad - good) / (_REFINING_LEVELS + 1)
    spread = {round(good + step * place) for place in range(1, _REFINING_LEVELS + 1)}
    return tuple(sorted(spread - {good, bad}))
