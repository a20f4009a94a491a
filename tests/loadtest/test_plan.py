from pathlib import Path
from typing import Literal

import pytest

from loadtest.analysis import throttling_threshold
from loadtest.levels import LevelResult
from loadtest.plan import levels_between, next_level
from loadtest.settings import Campaign
from tests.loadtest.examples import level


def _visited(
    levels: tuple[int, ...] | Literal["auto"], limit: int, *, first_users: int = 1, max_users: int = 256
) -> list[int]:
    """Levels visited on an endpoint that rejects everything beyond so many users."""
    campaign = Campaign(
        "http://127.0.0.1:1", Path("bodies"), levels=levels, first_users=first_users, max_users=max_users
    )
    done: list[LevelResult] = []
    while (users := next_level(campaign, done)) is not None:
        done.append(level(users, max(0.0, 1 - limit / users)))
    return [result.users for result in done]


def test_given_levels_are_visited_in_their_order() -> None:
    assert _visited((8, 1, 4), limit=100) == [8, 1, 4]


def test_given_levels_end_once_more_than_half_is_rejected() -> None:
    assert _visited((1, 4, 8, 16, 32), limit=4) == [1, 4, 8, 16]


@pytest.mark.parametrize(
    ("limit", "visited"),
    [
        (20, [1, 2, 4, 8, 16, 32, 20, 24]),
        (28, [1, 2, 4, 8, 16, 32, 20, 24, 28]),
        (2, [1, 2, 4, 3]),
        (1, [1, 2]),
        (0, [1]),
    ],
)
def test_auto_doubles_until_it_throttles_and_then_looks_between(limit: int, visited: list[int]) -> None:
    assert _visited("auto", limit) == visited


def test_auto_looks_closer_where_rejections_set_in_like_a_cliff() -> None:
    """Everything is answered up to 17 users, and beyond half of it is rejected."""
    campaign, done = Campaign("http://127.0.0.1:1", Path("bodies")), list[LevelResult]()
    while (users := next_level(campaign, done)) is not None:
        done.append(level(users, 0.5 if users > 17 else 0.0))
    assert [result.users for result in done] == [1, 2, 4, 8, 16, 32, 20, 17, 18]
    assert throttling_threshold(done).users is not None


def test_auto_ends_at_the_most_users_allowed() -> None:
    assert _visited("auto", 1000, max_users=8) == [1, 2, 4, 8]
    assert _visited("auto", 1000, max_users=11) == [1, 2, 4, 8, 11]


@pytest.mark.parametrize(
    ("limit", "visited"), [(20, [3, 6, 12, 24, 15, 18, 21]), (2, [3, 1, 2]), (1000, [3, 6, 12, 24, 40])]
)
def test_auto_begins_where_it_is_told(limit: int, visited: list[int]) -> None:
    assert _visited("auto", limit, first_users=3, max_users=40) == visited


def test_auto_counts_failures_as_unserved() -> None:
    campaign = Campaign("http://127.0.0.1:1", Path("bodies"))
    assert next_level(campaign, [level(1), level(2, ok=900, failed=100)]) is None


@pytest.mark.parametrize(
    ("good", "bad", "between"), [(16, 32, (20, 24, 28)), (1, 2, ()), (0, 1, ()), (2, 4, (3,)), (4, 8, (5, 6, 7))]
)
def test_levels_between_are_whole_and_inside(good: int, bad: int, between: tuple[int, ...]) -> None:
    assert levels_between(good, bad) == between
