from collections import Counter

import pytest

from loadtest.results.comparison import Quality
from loadtest.statistics.blocks import CANARY, is_decided, losers, order_of
from tests.loadtest.statistics.simulated_runs import candidate_of, report_of, runs_of

NAMES = ("dense@torch", "int8@ort", "nas@ort")


def test_every_block_has_each_candidate_once_and_the_canary_in_an_order_of_its_own() -> None:
    orders = [order_of(block, NAMES, seed=7) for block in range(40)]
    assert all(sorted(order) == sorted((*NAMES, CANARY)) for order in orders)
    assert orders == [order_of(block, NAMES, seed=7) for block in range(40)]
    assert orders != [order_of(block, NAMES, seed=8) for block in range(40)]
    firsts = Counter(order[0] for order in orders)
    assert len(firsts) == 4
    assert max(firsts.values()) < 20


@pytest.mark.parametrize(
    ("thresholds", "decided"),
    [
        ((50, 75), True),
        ((50, 53), False),
        ((50, 75, 77), False),
        ((50, 75, 100), True),
    ],
)
def test_it_is_decided_once_every_pair_of_interest_is_told_apart(thresholds: tuple[float, ...], decided: bool) -> None:
    candidates = [candidate_of(f"c{place}", runs_of(at, at)) for place, at in enumerate(thresholds)]
    assert is_decided(report_of(*candidates)) is decided


def test_pairs_that_are_known_to_be_the_same_are_decided_too() -> None:
    same = [candidate_of(name, runs_of(*[50.0] * 8, within=0.005)) for name in "ab"]
    assert is_decided(report_of(*same, blocks=10))


def test_one_block_decides_nothing_unless_there_is_but_one() -> None:
    clear = [candidate_of("a", runs_of(50)), candidate_of("b", runs_of(100))]
    assert not is_decided(report_of(*clear, blocks=3))
    assert is_decided(report_of(*clear, blocks=1))


def test_candidates_that_cannot_be_compared_need_no_further_block() -> None:
    failed = candidate_of("b", [])
    assert is_decided(report_of(candidate_of("a", runs_of(50, 51)), failed, candidate_of("c", runs_of(80, 81))))


def test_clear_losers_are_left_out_and_the_first_candidate_never() -> None:
    first, best, slow = (candidate_of(name, runs_of(at, at)) for name, at in (("a", 30), ("b", 60), ("c", 40)))
    found = losers(report_of(first, best, slow))
    assert found == {"c": "it holds at most 0.74 times as many users as b."}
    once = [candidate_of(one.name, one.runs[:1]) for one in (first, best, slow)]
    assert losers(report_of(*once)) == {}


def test_a_slow_candidate_with_clearly_better_answers_is_no_loser() -> None:
    good, poor = (Quality(value, "accuracy", 872, "sst2", (value - 0.005, value + 0.005)) for value in (0.93, 0.91))
    first, best = candidate_of("a", runs_of(30, 30), poor), candidate_of("b", runs_of(60, 60), poor)
    assert losers(report_of(first, best, candidate_of("c", runs_of(40, 40), good))) == {}


def test_a_candidate_that_loses_too_much_quality_is_left_out() -> None:
    good, poor = Quality(0.92, "accuracy"), Quality(0.73, "accuracy")
    report = report_of(candidate_of("a", runs_of(50), good), candidate_of("b", runs_of(90), poor))
    assert losers(report) == {"b": "it loses more quality than is allowed."}
