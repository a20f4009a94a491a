from collections.abc import Sequence

import pytest

from loadtest.results.comparison import CandidateReport, Quality, Report, Run
from loadtest.statistics.accuracy import encode_right
from loadtest.statistics.front import front_of
from tests.loadtest.examples import level, run

N = 872


def quality(right: int) -> Quality:
    share = right / N
    bits = encode_right([True] * right + [False] * (N - right))
    return Quality(share, "accuracy", N, "sst2", (share - 0.02, share + 0.02), right=bits)


def runs(p95_ms: float, doubts: tuple[str, ...] = ()) -> list[Run]:
    one = level(60, p50_ms=p95_ms / 2, p95_ms=p95_ms, p99_ms=1.3 * p95_ms, doubts=doubts)
    return [Run(block, 0, "", common_rate=one) for block in range(3)]


def candidate(name: str, found: Sequence[Run], right: int | None) -> CandidateReport:
    return CandidateReport(name, name, "x", tuple(found), None if right is None else quality(right))


def report(*candidates: CandidateReport) -> Report:
    return Report(candidates, think_time_s=0.1, common_rate_per_s=60.0)


def test_who_is_clearly_worse_in_one_and_not_better_in_the_other_is_not_on_it() -> None:
    front = front_of(
        report(
            candidate("dense", runs(80), 810),
            candidate("fast", runs(20), 795),
            candidate("slow", runs(60), 796),
        )
    )
    assert front.names == ("fast", "dense")
    assert (front.rate_per_s, front.users) == (60.0, None)
    assert [point.name for point in front.points] == ["fast", "slow", "dense"]


def test_what_lies_within_noise_is_tied_and_both_are_on_it() -> None:
    front = front_of(report(candidate("a", runs(40), 800), candidate("b", runs(41), 798)))
    assert front.names == ("a", "b")


def test_four_texts_more_do_not_keep_a_candidate_on_it_that_is_clearly_slower() -> None:
    assert front_of(report(candidate("a", runs(80), 800), candidate("b", runs(40), 796))).names == ("b",)


def test_a_candidate_below_the_floor_is_not_on_it_however_fast_it_is() -> None:
    front = front_of(report(candidate("a", runs(80), 800), candidate("b", runs(10), 640)))
    assert front.names == ("a",)
    assert [(point.name, point.is_below_floor) for point in front.points] == [("b", True), ("a", False)]


def test_doubted_levels_and_candidates_without_quality_are_not_on_it() -> None:
    doubted = runs(10, ("the generator used 95% of a core.",))
    front = front_of(report(candidate("a", runs(80), 800), candidate("b", doubted, 800), candidate("c", runs(9), None)))
    assert [point.name for point in front.points] == ["a"]


def test_without_a_common_rate_it_is_of_the_fewest_users_that_all_were_measured_at() -> None:
    light = [level(2, p95_ms=12.0, doubts=("it drifted.",)), level(4, p95_ms=15.0), level(8, p95_ms=30.0)]
    also = [level(2, p95_ms=9.0), level(4, p95_ms=11.0)]
    front = front_of(report(candidate("a", [run(light)], 800), candidate("b", [run(also)], 800)))
    assert (front.users, front.rate_per_s) == (4, None)
    assert [point.p95_ms for point in front.points] == pytest.approx([11.0, 15.0])
    assert front_of(report(candidate("a", [], 800))).points == ()
