"""What is said of two thresholds of which at least one is no number, and how often that is wrong."""

from math import exp

import numpy as np
import pytest

from loadtest.results.comparison import Run
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.results.visits import Slice
from loadtest.statistics.bounds import Bounds, middle_of, threshold_bounds
from loadtest.statistics.threshold import throttling_threshold
from loadtest.statistics.verdict import verdict_of
from tests.loadtest.examples import level
from tests.loadtest.statistics.simulated_runs import BETWEEN, candidate_of, report_of, runs_of

CAMPAIGNS = 300
# What two starts of a server may differ by, each once: Student's quantile of four degrees of freedom.
STARTS = exp(2.776 * 0.03 * 2**0.5)


def between(low: float | None, high: float | None, block: int = 0) -> Run:
    return Run(block, 0, "", threshold=Threshold(None, (low, high), f"{low}-{high}", (low, high)))


def test_brackets_that_do_not_overlap_say_at_least_how_many_times_more() -> None:
    found = threshold_bounds([between(30, 42)], [between(12, 16)])
    assert found.least == pytest.approx(30 / 16 / STARTS, rel=1e-3)
    assert found.most == pytest.approx(42 / 12 * STARTS, rel=1e-3)
    assert found.is_clear
    assert not threshold_bounds([between(14, 42)], [between(12, 16)]).is_clear


def test_runs_that_only_bound_it_come_no_nearer_with_their_number_but_for_what_starts_differ() -> None:
    one, three = (threshold_bounds([between(30, 42, n) for n in range(k)], [between(12, 16)] * k) for k in (1, 3))
    assert one.least is not None
    assert three.least is not None
    assert one.least < three.least < 30 / 16


def test_a_number_and_a_bracket_are_compared_by_the_interval_and_the_bracket() -> None:
    found = threshold_bounds([between(70, 90)], runs_of(50.0))
    assert found.least is not None
    assert 1.1 < found.least < 70 / 50


def test_an_end_that_is_not_bounded_leaves_the_ratio_open() -> None:
    assert threshold_bounds([between(64, None)], [between(12, 16)]).most is None
    assert threshold_bounds([between(None, 8)], [between(12, 16)]).least is None
    assert threshold_bounds([], [between(12, 16)]) == Bounds(None, None)
    # The levels bound it, but they were watched too briefly.
    unsure = Run(0, 0, "", threshold=Threshold(None, (30, 42), "30-42", (None, None)))
    assert threshold_bounds([unsure], [between(12, 16)]) == Bounds(None, None)


def test_the_middle_of_a_threshold_is_the_number_or_between_the_two_levels() -> None:
    thresholds = [run.threshold for run in (*runs_of(50.0), between(9, 16), between(None, 9), between(9, None))]
    assert [middle_of(one) for one in thresholds if one] == [50, 12, 9, None]


def test_a_candidate_that_holds_more_by_its_bracket_is_the_winner() -> None:
    found = verdict_of(report_of(candidate_of("a", [between(12, 16)]), candidate_of("b", [between(30, 42)]), blocks=1))
    assert (found.kind, found.recommended, found.behind, found.more_blocks) == ("winner", "b", ("a",), 0)
    assert found.effect is None
    assert found.bounds is not None
    assert found.bounds.least == pytest.approx(30 / 16 / STARTS, rel=1e-3)


def test_a_candidate_of_which_only_the_upper_end_is_known_may_be_as_good_or_is_clearly_worse() -> None:
    other = candidate_of("b", [between(30, 42)])
    kinds = [verdict_of(report_of(candidate_of("a", [between(None, high)]), other, blocks=1)).kind for high in (20, 36)]
    assert kinds == ["winner", "undecided"]


def test_brackets_that_overlap_are_undecided_and_blocks_alone_do_not_tell() -> None:
    found = verdict_of(report_of(candidate_of("a", [between(12, 32)]), candidate_of("b", [between(30, 42)])))
    assert (found.kind, found.leaders, found.more_blocks) == ("undecided", ("b", "a"), None)


def coarse_run(truth: float, random: np.random.Generator, block: int) -> Run:
    """A run with few levels far apart, on a server of which bursts of rejections set in where the truth says."""
    at = truth * exp(random.normal(0, BETWEEN))
    start = at * random.uniform(0.3, 0.9)
    levels = [_level(users, at, random) for users in sorted({max(1, round(start * 1.5**n)) for n in range(4)})]
    return Run(block, 0, "", tuple(levels), throttling_threshold(levels))


def _level(users: int, at: float, random: np.random.Generator) -> LevelResult:
    odds = 0.01 / 0.99 * (users / at) ** 20
    slices = []
    for _ in range(4):
        # The seconds differ by more than single requests do.
        expected = min(max(odds / (1 + odds), 1e-6), 1 - 1e-6)
        share = random.beta(20 * expected, 20 * (1 - expected))
        slices.append(Slice(100, int(random.binomial(100, share))))
    bad = sum(one.bad for one in slices)
    return level(users, attempts=400, ok=400 - bad, rejected=bad, slices=tuple(slices))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("blocks", [1, 3])
def test_bounds_are_wrong_in_at_most_one_of_twenty_campaigns_and_name_no_winner_among_the_same(blocks: int) -> None:
    random = np.random.default_rng(blocks)
    wrong = winners = 0
    for _ in range(CAMPAIGNS):
        ours, theirs = ([coarse_run(40, random, block) for block in range(blocks)] for _ in range(2))
        found = threshold_bounds(ours, theirs)
        wrong += (found.least or 0) > 1 or (found.most or 2) < 1
        winners += (
            verdict_of(report_of(candidate_of("a", ours), candidate_of("b", theirs), blocks=blocks)).kind == "winner"
        )
    assert wrong <= CAMPAIGNS / 20
    assert winners <= CAMPAIGNS / 20


def test_of_three_times_as_many_the_winner_is_named_from_brackets() -> None:
    random = np.random.default_rng(5)
    found = []
    for _ in range(50):
        ours, theirs = [coarse_run(120, random, 0)], [coarse_run(40, random, 0)]
        found.append(verdict_of(report_of(candidate_of("a", theirs), candidate_of("b", ours), blocks=1)))
    assert sum(one.recommended == "b" and one.kind == "winner" for one in found) >= 25
    assert not any(one.recommended == "a" and one.kind == "winner" for one in found)
