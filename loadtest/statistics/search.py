"""Which number of users comes next, on the way to the number from which requests are not served."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor

from loadtest.plan.settings import Campaign
from loadtest.results.levels import LevelResult
from loadtest.results.visits import Visit
from loadtest.statistics.crossing import Crossing, around, crossing_of

# Two levels this close need no other between them.
ADJACENT = 1.1

# A single burst can make a level look bad, and its absence good: the two around the crossing are seen again.
LEAST_VISITS = 2

# Of the users that keep the queue full to its deadline, where a search begins.
_GUESSES = (0.45, 0.7, 1, 1.4, 2.8)

# Of the way from the highest good level to the lowest bad one, on a logarithmic scale: how near to either the next is.
_NEAREST = 0.25

# A level with less than this part unserved lies near the crossing: the next lower one is this part of it.
NEAR_SHARE, _STEP_DOWN = 0.1, 0.88


@dataclass(frozen=True, slots=True)
class Search:
    """Begin with the levels of `start`, in rising order; end when the crossing of `share` is known to `precision`.

    That is half of the interval's width, as a part of the crossing. `max_visits` end the search in any case, and
    `max_users` are never exceeded.
    """

    start: tuple[int, ...]
    share: float
    precision: float
    max_users: int
    max_visits: int


def next_level(campaign: Campaign, done: Sequence[LevelResult], searched_s: float = 0.0) -> int | None:
    """Users of the next visit, or None when the campaign is over. `done` are the levels so far, by their first visit.

    Exact levels are visited in their order until one leaves more than `stop_share` of its attempts unserved. Others
    are where a search begins, and their highest is where it ends; `auto` begins at `first_users`. The search has gone
    on for `searched_s`.
    """
    if campaign.exact_levels and campaign.levels != "auto":
        if done and done[-1].unserved_share > campaign.stop_share:
            return None
        return campaign.levels[len(done)] if len(done) < len(campaign.levels) else None
    if campaign.max_search_s is not None and searched_s > campaign.max_search_s:
        return None
    search = Search(
        start=(campaign.first_users,) if campaign.levels == "auto" else campaign.levels,
        share=campaign.reject_threshold,
        precision=campaign.precision,
        max_users=campaign.max_users if campaign.levels == "auto" else max(campaign.levels),
        max_visits=campaign.max_visits,
    )
    return next_users(search, done)


def first_levels(
    saturation_per_s: float, service_s: float, queue_deadline_s: float | None, think_time_s: float
) -> tuple[int, ...]:
    """The levels to begin a search with, in rising order, from what users without think time were answered.

    `service_s` is the response time of a single user, whose level is the first. `queue_deadline_s` is how long a
    request may wait before it is rejected; None where that is not known.

    By Little's law N = X (R + Z), the queue is full to the deadline with N = X (deadline + service + think time) users,
    at the highest throughput X. Requests scatter, and what was measured of X does, so some are rejected from about half
    as many to that many on. The further levels are only visited if the threshold does not lie between those.
    """
    most = saturation_per_s * ((queue_deadline_s or 0.0) + service_s + think_time_s)
    return tuple(sorted({1, *(max(1, round(part * most)) for part in _GUESSES)}))


def next_users(search: Search, levels: Sequence[LevelResult]) -> int | None:
    """The users of the next visit; None when the crossing is known, or cannot be known better.

    A level that was doubted is seen once more. Doubted again, it is given up: it is no part of the estimate and says
    only, where no other level does, in which direction to go on.
    """
    if sum(level.visits_made for level in levels) >= search.max_visits:
        return None
    usable = [level for level in levels if level.counts and level.attempts]
    given_up = [level for level in levels if level not in usable]
    again = next((level.users for level in given_up if level.visits_made < LEAST_VISITS), None)
    if again is not None:
        return again
    bad = _bad(search, usable) or _bad(search, given_up)
    good = [level.users for level in usable if level.users < min(bad, default=level.users + 1)]
    if not bad:
        return _upwards(search, [level.users for level in levels])
    if not good:
        return _downwards(levels)
    crossing = crossing_of([level.visit for level in usable], search.share)
    low, high = around((level.at for level in usable), crossing.at)
    if low is None or high is None:
        low, high = max(good), min(bad)
    if not is_adjacent(low, high):
        return _between(min(crossing.at, _served(high, levels)), low, high, [level.users for level in given_up])
    ends = [level for level in usable if level.at in (low, high)]
    if all(level.visits_made >= LEAST_VISITS for level in ends):
        if is_known(crossing, search.precision):
            return None
        if is_cliff(crossing, low, high):
            return _between(crossing.at, low, high, [level.users for level in given_up])
    return min(ends, key=lambda level: level.duration_s).users


def _bad(search: Search, levels: Sequence[LevelResult]) -> list[int]:
    return [level.users for level in levels if _share(level.visit) > search.share]


def _share(visit: Visit) -> float:
    return sum(one.bad for one in visit.slices) / max(1, sum(one.attempts for one in visit.slices))


def is_adjacent(low: float, high: float) -> bool:
    return high - low <= 1 or high / low <= ADJACENT


def is_known(crossing: Crossing, precision: float) -> bool:
    low, high = crossing.interval
    return low is not None and high is not None and high - low <= 2 * precision * crossing.at


def is_cliff(crossing: Crossing, low: float, high: float) -> bool:
    """Whether the interval is just the two levels around the crossing: more visits to them would say no more."""
    return crossing.interval == (low, high)


def _upwards(search: Search, visited: Sequence[int]) -> int | None:
    """The next of the levels to begin with, then twice as many each time."""
    highest = max(visited, default=0)
    above = [users for users in search.start if users > highest]
    if above:
        return min(above)
    return min(2 * highest, search.max_users) if highest < search.max_users else None


def _downwards(levels: Sequence[LevelResult]) -> int | None:
    """From the lowest that was visited, which is bad: a little lower if it is so by a little, else half of it."""
    lowest = min(levels, key=lambda level: level.users)
    is_near = lowest.counts and _share(lowest.visit) < NEAR_SHARE
    return min(lowest.users - 1, floor(lowest.users * (_STEP_DOWN if is_near else 0.5))) or None


def _served(high: float, levels: Iterable[LevelResult]) -> float:
    """About as many users as a server holds that serves this part of the attempts of `high` users."""
    return next(high * (1 - _share(level.visit)) for level in levels if level.at == high)


def _between(aim: float, low: float, high: float, given_up: Sequence[int]) -> int | None:
    """Where the crossing seems to be, but not too near to either end, nor at a level that was given up."""
    ratio = high / low
    inside: float = min(max(aim, low * ratio**_NEAREST), high / ratio**_NEAREST)
    left = set(range(floor(low) + 1, ceil(high))) - set(given_up)
    return min(left, key=lambda users: (abs(users - inside), users), default=None)
