from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

import numpy as np
import pytest

from loadtest.plan.arrivals import Arrivals, Kind

T = TypeVar("T")


def first(values: Iterator[T], count: int = 1000) -> list[T]:
    return list(islice(values, count))


def test_poisson_arrivals_have_the_rate_and_the_scatter_of_independent_ones() -> None:
    due_s = Arrivals("poisson", 1000.0).due_s(10.0)
    assert due_s == sorted(due_s)
    assert 0 <= due_s[0] < due_s[-1] < 10.0
    assert len(due_s) == pytest.approx(10_000, rel=0.05)
    gaps_s = np.diff(due_s)
    assert gaps_s.std() == pytest.approx(gaps_s.mean(), rel=0.05)


def test_constant_arrivals_are_evenly_spaced() -> None:
    assert Arrivals("constant", 4.0).due_s(1.5) == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]


def test_pauses_are_exponential_with_the_mean_asked_for() -> None:
    pauses_s = first(Arrivals("closed", 8, think_time_s=0.1).pauses_s(user=3), 10_000)
    assert np.mean(pauses_s) == pytest.approx(0.1, rel=0.05)
    assert np.std(pauses_s) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("kind", ["closed", "poisson", "constant"])
def test_every_candidate_gets_the_same_again(kind: Kind) -> None:
    ours, theirs = (Arrivals(kind, 8, think_time_s=0.1, seed=1, visit=2) for _ in range(2))
    if kind != "closed":
        assert ours.due_s(3.0) == theirs.due_s(3.0)
    assert first(ours.pauses_s(3)) == first(theirs.pauses_s(3))
    assert first(ours.bodies(100, 3)) == first(theirs.bodies(100, 3))


def test_seed_level_visit_and_user_each_change_what_is_drawn() -> None:
    one = Arrivals("closed", 8, think_time_s=0.1)
    others = [Arrivals("closed", 8, 0.1, seed=1), Arrivals("closed", 8.5, 0.1), Arrivals("closed", 8, 0.1, visit=1)]
    streams = [first(one.pauses_s(0)), first(one.pauses_s(1)), *(first(other.pauses_s(0)) for other in others)]
    assert len({tuple(stream) for stream in streams}) == 5
    orders = [first(one.bodies(50, 0), 50), first(one.bodies(50, 1), 50), first(others[0].bodies(50, 0), 50)]
    assert len({tuple(order) for order in orders}) == 3


def test_bodies_are_all_of_them_in_a_shuffled_order_again_and_again() -> None:
    numbers = first(Arrivals("closed", 8).bodies(10), 30)
    assert numbers[:10] == numbers[10:20] == numbers[20:]
    assert sorted(numbers[:10]) == list(range(10))
    assert numbers[:10] != list(range(10))
