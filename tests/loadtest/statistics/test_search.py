"""The search for a threshold, on queues whose threshold is known."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from loadtest.plan.settings import Campaign
from loadtest.results.levels import LevelResult, Window
from loadtest.results.threshold import Threshold
from loadtest.results.visits import Slice, Visit
from loadtest.statistics.crossing import crossing_of
from loadtest.statistics.search import Search, first_levels, is_adjacent, next_level, next_users
from loadtest.statistics.sequential import settled
from loadtest.statistics.threshold import throttling_threshold
from tests.loadtest.examples import level
from tests.loadtest.simulation import Queue, true_crossing, visit

START = (4, 8, 16, 32, 64)
VISIT_S = 6

# Of queues with a gate of 0.1 s and users who think for 0.1 s, by the service time in seconds: from levels of 3000 s.
TRUTH = {0.003: 60.1, 0.006: 28.6, 0.016: 9.75}
AROUND = {0.003: range(57, 65), 0.006: range(27, 31), 0.016: range(8, 12)}


CAMPAIGN = Campaign("http://127.0.0.1:1", Path("bodies"))


def search_from(start: tuple[int, ...], **changes: Any) -> Search:
    """The search of a campaign without any settings of its own, but for these."""
    usual = Search(start, CAMPAIGN.reject_threshold, CAMPAIGN.precision, CAMPAIGN.max_users, CAMPAIGN.max_visits)
    return replace(usual, **changes)


def pooled(before: LevelResult | None, one: Visit) -> LevelResult:
    """The level with what another visit found."""
    slices = (*(before.slices if before else ()), *one.slices)
    attempts, unserved = sum(each.attempts for each in slices), sum(each.bad for each in slices)
    return level(
        one.at,
        attempts=attempts,
        ok=attempts - unserved,
        rejected=unserved,
        duration_s=float(len(slices)),
        slices=slices,
        windows=(*(before.windows if before else ()), Window(0.0, 1.0)),
    )


def searched(search: Search, ask: Callable[[int], Visit]) -> list[LevelResult]:
    """The levels of a search, pooled, in the order of their first visit."""
    done: dict[int, LevelResult] = {}
    while (users := next_users(search, list(done.values()))) is not None:
        done[users] = pooled(done.get(users), ask(users))
    return list(done.values())


def ended(one: Visit) -> Visit:
    """The visit as far as it goes until it is settled; a clean one is seen for half of its time at least."""
    for seconds in range(1, len(one.slices)):
        known = settled(one.slices[:seconds], CAMPAIGN.reject_threshold)
        if known == "hopeless" or (known == "clean" and seconds >= VISIT_S / 2):
            return replace(one, slices=one.slices[:seconds])
    return one


def found(service_s: float, seed: int, search: Search) -> Threshold:
    random = np.random.default_rng(seed)
    return throttling_threshold(searched(search, lambda users: ended(visit(Queue(service_s), users, VISIT_S, random))))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service_s", TRUTH)
def test_the_threshold_of_a_queue_is_found_within_a_twentieth_and_its_interval_has_it(service_s: float) -> None:
    truth, search = TRUTH[service_s], search_from(START)
    thresholds = [found(service_s, seed, search) for seed in range(30)]
    errors = [abs((threshold.at or 0) / truth - 1) for threshold in thresholds]
    covered = [(one.interval[0] or 0) <= truth <= (one.interval[1] or 1e9) for one in thresholds]
    assert max(errors) <= 0.05
    assert sum(covered) >= 27


def test_levels_far_from_the_threshold_end_early_and_those_near_it_do_not() -> None:
    def seconds(users: int) -> int:
        return len(ended(visit(Queue(0.006), users, VISIT_S, np.random.default_rng(users))).slices)

    assert [seconds(users) for users in (28, 29, 30)] == [VISIT_S] * 3
    assert max(seconds(users) for users in (45, 64)) < VISIT_S


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("service_s", TRUTH)
def test_the_thresholds_that_are_known_are_those_of_very_long_levels(service_s: float) -> None:
    assert true_crossing(Queue(service_s), AROUND[service_s]) == pytest.approx(TRUTH[service_s], rel=0.005)


def sharply(limit: int) -> Callable[[int], Visit]:
    """An endpoint that serves everything up to so many users, and half of it beyond."""
    return lambda users: Visit(users, (Slice(1000, 500 if users > limit else 0),) * VISIT_S)


@pytest.mark.parametrize(("start", "limit"), [(START, 20), ((1,), 5), ((4,), 2), ((4,), 1), ((64,), 13)])
def test_it_brackets_until_the_two_levels_around_a_cliff_are_adjacent(start: tuple[int, ...], limit: int) -> None:
    visited = [one.users for one in searched(search_from(start, max_users=128), sharply(limit))]
    assert any(
        low in visited and is_adjacent(low, high) for low, high in pairwise(sorted(visited)) if low <= limit < high
    )
    assert len(visited) <= 12


def test_it_doubles_to_the_most_users_and_halves_down_to_one() -> None:
    for start, limit, expected in (((3,), 1000, [3, 6, 12, 24, 40]), ((4,), 0, [4, 2, 1])):
        assert [one.users for one in searched(search_from(start, max_users=40), sharply(limit))] == expected


def test_it_ends_after_so_many_visits_whatever_is_known() -> None:
    random = np.random.default_rng(0)
    levels = searched(search_from(START, max_visits=6), lambda users: visit(Queue(0.016), users, 1, random))
    assert sum(one.visits for one in levels) == 6


def test_it_goes_on_until_the_interval_is_narrow() -> None:
    random = np.random.default_rng(0)

    def width(precision: float) -> tuple[float, int]:
        search = search_from(START, precision=precision, max_visits=200)
        levels = searched(search, lambda users: visit(Queue(0.016), users, VISIT_S, random))
        crossing = crossing_of([one.visit for one in levels], search.share)
        low, high = crossing.interval
        assert low is not None
        assert high is not None
        return (high - low) / crossing.at, sum(one.visits for one in levels)

    (coarse, few), (fine, many) = width(0.1), width(0.03)
    assert fine <= 0.06 < coarse <= 0.2
    assert few < many


def visited(levels: tuple[int, ...] | Literal["auto"], limit: int, *, exact: bool) -> list[int]:
    campaign = replace(CAMPAIGN, levels=levels, exact_levels=exact, max_visits=9)
    done: list[LevelResult] = []
    while (users := next_level(campaign, done)) is not None:
        done.append(pooled(None, sharply(limit)(users)))
    return [one.users for one in done]


def test_exact_levels_are_visited_in_their_order_and_no_others() -> None:
    assert visited((8, 1, 4), 100, exact=True) == [8, 1, 4]


def test_exact_levels_end_once_more_than_half_is_rejected() -> None:
    def half(users: int) -> LevelResult:
        return level(users, max(0.0, 1 - 4 / users))

    campaign, done = replace(CAMPAIGN, levels=(1, 4, 8, 16, 32), exact_levels=True), list[LevelResult]()
    while (users := next_level(campaign, done)) is not None:
        done.append(half(users))
    assert [one.users for one in done] == [1, 4, 8, 16]


def test_a_search_ends_when_its_time_is_over_and_exact_levels_do_not() -> None:
    campaign = replace(CAMPAIGN, levels=(4, 8), max_search_s=20.0)
    assert next_level(campaign, [level(4)], 19.9) == 8
    assert next_level(campaign, [level(4)], 20.1) is None
    assert next_level(replace(campaign, exact_levels=True), [level(4)], 20.1) == 8


def test_levels_that_are_given_are_refined_unless_they_are_to_be_exact() -> None:
    first, second, third, *_ = visited((8, 32), 20, exact=False)
    assert (first, second, 8 < third < 32) == (8, 32, True)
    assert visited("auto", 5, exact=False)[:4] == [1, 2, 4, 8]


def doubted(users: int, visits: int, **changes: Any) -> LevelResult:
    return level(
        users, doubts=("it drifted.",), doubtful_visits=visits, windows=(Window(0.0, 1.0),) * visits, **changes
    )


def test_a_doubted_level_is_seen_once_more_and_then_given_up() -> None:
    search = search_from((4, 8))
    assert next_users(search, [level(4), doubted(8, 1)]) == 8
    assert next_users(search, [level(4), doubted(8, 2)]) == 16


def test_a_level_that_was_given_up_is_no_part_of_the_estimate() -> None:
    # Of 8 users half were rejected by a server that was not steady; it holds 40.
    levels = [level(4), doubted(8, 2, ok=2000, rejected=2000), level(36, 0.002), level(44, 0.03)]
    assert next_users(search_from((4, 8)), levels) in range(38, 43)


@pytest.mark.parametrize("sound", [(), (1,), (1, 4, 64)])
def test_a_search_ends_though_no_level_becomes_sound(sound: tuple[int, ...]) -> None:
    search, done, visits = search_from((1, 4, 16)), dict[int, LevelResult](), 0
    while (users := next_users(search, list(done.values()))) is not None:
        before = done[users].doubtful_visits if users in done else 0
        rejected = 2000 if users > 20 else 0
        done[users] = doubted(users, before + 1, ok=4000 - rejected, rejected=rejected)
        if users in sound:
            done[users] = pooled(done.get(users), sharply(20)(users)) if not before else done[users]
        visits += 1
        assert visits <= search.max_visits
    assert visits >= 2


def test_failures_count_for_the_threshold_though_the_level_is_doubted() -> None:
    broken = level(8, ok=3000, failed=1000, doubts=("1000 requests failed.",), only_failures=True, doubtful_visits=2)
    assert next_users(search_from((4, 8)), [level(4), broken]) in (5, 6, 7)
    assert throttling_threshold([level(4), broken]).bracket == (4, 8)


@pytest.mark.parametrize("service_s", TRUTH)
def test_first_levels_are_one_user_and_those_around_the_threshold(service_s: float) -> None:
    one, lowest, low, high, *beyond = first_levels(1 / service_s, service_s, queue_deadline_s=0.1, think_time_s=0.1)
    assert one == 1
    assert lowest < low <= TRUTH[service_s] <= high
    assert high / low < 1.6
    assert beyond == sorted(beyond)


def test_first_levels_without_a_deadline_begin_where_a_server_is_first_busy_all_the_time() -> None:
    assert first_levels(100.0, 0.01, queue_deadline_s=None, think_time_s=0.99) == (1, 45, 70, 100, 140, 280)
    assert first_levels(1.0, 1.0, queue_deadline_s=None, think_time_s=0.0) == (1, 3)


def test_from_an_overloaded_level_it_goes_to_what_the_server_served_there() -> None:
    overloaded = level(113, ok=1768, rejected=2232)
    assert 57 < (next_users(search_from((57, 113)), [level(57), overloaded]) or 0) <= 70


def test_below_a_lowest_level_that_is_just_too_high_it_goes_down_by_little() -> None:
    assert next_users(search_from((40, 50)), [level(40, 0.02)]) == 35
    assert next_users(search_from((40, 50)), [level(40, 0.4)]) == 20
    assert next_users(search_from((2, 3)), [level(2, 0.02)]) == 1
    assert next_users(search_from((1, 3)), [level(1, 0.02)]) is None


@pytest.mark.parametrize("outcome", ["failed", "timeout"])
def test_what_is_not_served_counts_however_it_was_lost(outcome: str) -> None:
    levels: Sequence[LevelResult] = [level(4), level(8, ok=900, **{outcome: 100})]
    assert next_users(search_from((4, 8)), levels) in (5, 6, 7)


@pytest.mark.parametrize("most_held", [3, 13, 62])
def test_at_a_cliff_levels_are_put_between_until_none_is_left_or_it_is_known(most_held: int) -> None:
    levels = searched(
        search_from((4, 16, 60, 66), max_visits=40),
        lambda users: Visit(users, (Slice(100, 0 if users <= most_held else 40),) * VISIT_S),
    )
    assert sum(one.visits_made for one in levels) < 20
    low, high = throttling_threshold(levels).interval
    assert low is not None
    assert high is not None
    assert low <= most_held < high
    assert high - low <= max(1, 2 * CAMPAIGN.precision * high)
