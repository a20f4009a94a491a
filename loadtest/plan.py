"""Which number of users comes next."""

from collections.abc import Sequence

from loadtest.levels import LevelResult
from loadtest.settings import Campaign

_REFINING_LEVELS = 3


def next_level(campaign: Campaign, done: Sequence[LevelResult]) -> int | None:
    """Users of the next level, or None when the campaign is over. `done` is in the order of visit.

    Given levels are visited in their order until one leaves more than `stop_share` of its attempts unserved. `auto`
    doubles from `first_users` until a level leaves more than `reject_threshold` unserved or `max_users` is reached, and
    then visits up to three levels between the last good and the first bad one.
    """
    if campaign.levels == "auto":
        return _next_auto(campaign, done)
    if done and done[-1].unserved_share > campaign.stop_share:
        return None
    return campaign.levels[len(done)] if len(done) < len(campaign.levels) else None


def _next_auto(campaign: Campaign, done: Sequence[LevelResult]) -> int | None:
    doubling = _doubling(campaign.first_users, campaign.max_users)
    for place, users in enumerate(doubling):
        if place == len(done):
            return users
        if done[place].unserved_share > campaign.reject_threshold:
            good = doubling[place - 1] if place else 0
            between = levels_between(good, users)
            refined = len(done) - place - 1
            return between[refined] if refined < len(between) else None
    return None


def _doubling(first: int, last: int) -> tuple[int, ...]:
    return (first, *_doubling(2 * first, last)) if first < last else (last,)


def levels_between(good: int, bad: int) -> tuple[int, ...]:
    """Up to three whole numbers spread evenly between the two, both excluded."""
    step = (bad - good) / (_REFINING_LEVELS + 1)
    spread = {round(good + step * place) for place in range(1, _REFINING_LEVELS + 1)}
    return tuple(sorted(spread - {good, bad}))
