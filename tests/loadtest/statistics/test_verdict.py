"""What is recommended, and how often a winner is named that is none."""

from dataclasses import replace

import pytest

from loadtest.results.comparison import Quality, Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.accuracy import encode_right
from loadtest.statistics.verdict import Verdict, verdict_of
from tests.loadtest.statistics.simulated_runs import campaign, candidate_of, report_of, runs_of

CAMPAIGNS = 200


def verdicts(truth: tuple[float, ...], blocks: int, campaigns: int) -> list[Verdict]:
    return [verdict_of(campaign(truth, blocks, seed)) for seed in range(campaigns)]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("truth", [(50.0, 50.0), (50.0, 50.0, 50.0, 50.0)], ids=["two", "four"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_among_the_same_a_winner_is_named_in_at_most_one_of_twenty_campaigns(
    truth: tuple[float, ...], blocks: int
) -> None:
    assert sum(one.kind == "winner" for one in verdicts(truth, blocks, CAMPAIGNS)) <= CAMPAIGNS / 20


@pytest.mark.parametrize("truth", [(50.0, 65.0), (50.0, 65.0, 50.0, 50.0)], ids=["two", "four"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_of_thirty_percent_more_the_winner_is_named(truth: tuple[float, ...], blocks: int) -> None:
    found = verdicts(truth, blocks, 50)
    assert sum((one.kind, one.recommended) == ("winner", "c1") for one in found) >= 40


def test_a_winner_has_its_effect_over_the_first_and_its_lead_over_the_next() -> None:
    names = (("dense", 50), ("int8", 100), ("nas", 70))
    report = report_of(*(candidate_of(name, runs_of(at, at * 1.01)) for name, at in names))
    found = verdict_of(report)
    assert (found.kind, found.recommended, found.leaders) == ("winner", "int8", ("int8",))
    assert (found.against, found.runner_up, found.more_blocks) == ("dense", "nas", 0)
    assert found.effect is not None
    assert found.lead is not None
    assert found.effect.value == pytest.approx(2)
    assert found.lead.value == pytest.approx(100 / 70)
    assert found.sureness is not None
    assert found.sureness > 0.95


def test_leaders_that_cannot_be_told_apart_are_undecided_and_more_blocks_would_tell() -> None:
    names = (("dense", 50), ("int8", 100), ("nas", 94))
    found = verdict_of(report_of(*(candidate_of(name, runs_of(at, at)) for name, at in names)))
    assert (found.kind, found.recommended, found.leaders) == ("undecided", "int8", ("int8", "nas"))
    assert found.more_blocks is not None
    assert 1 <= found.more_blocks <= 20


def test_what_is_known_to_be_the_same_is_a_tie_and_the_first_candidate_stays() -> None:
    found = verdict_of(report_of(*(candidate_of(name, runs_of(*[at] * 8)) for name, at in (("a", 50), ("b", 50.2)))))
    assert (found.kind, found.recommended, found.leaders, found.more_blocks) == ("tie", "a", ("b", "a"), 0)


def quality(right: int) -> Quality:
    return Quality(right / 872, "accuracy", 872, "sst2", right=encode_right([True] * right + [False] * (872 - right)))


def test_a_fast_candidate_with_poor_answers_is_not_recommended() -> None:
    dense = candidate_of("dense", runs_of(50, 50), quality(800))
    poor, fair = (
        candidate_of("poor", runs_of(99, 99), quality(640)),
        candidate_of("fair", runs_of(80, 80), quality(796)),
    )
    found = verdict_of(report_of(dense, poor, fair))
    assert (found.kind, found.recommended, found.excluded) == ("winner", "fair", ("poor",))
    assert found.quality is not None
    assert found.quality.p == 0.125
    assert found.quality_drop == pytest.approx(4 / 872)


def test_a_candidate_that_was_never_given_too_much_may_be_the_best() -> None:
    more = Run(0, 0, "", threshold=Threshold(None, (256, None), "> 256", (250, None)))
    report = report_of(candidate_of("a", runs_of(50)), candidate_of("b", runs_of(99)), candidate_of("c", [more]))
    found = verdict_of(report)
    assert (found.kind, found.may_hold_more, found.unmeasured) == ("undecided", ("c",), ("c",))
    assert found.more_blocks is None


def test_candidates_that_failed_do_not_hinder_a_verdict() -> None:
    found = verdict_of(report_of(candidate_of("a", runs_of(50, 51)), candidate_of("b", [])))
    assert (found.kind, found.recommended, found.unmeasured) == ("winner", "a", ("b",))
    assert (found.lead, found.effect, found.sureness) == (None, None, None)
    nothing = verdict_of(report_of(candidate_of("a", [])))
    assert (nothing.kind, nothing.recommended) == ("undecided", None)


def test_the_canary_shows_the_noise() -> None:
    report = report_of(candidate_of("a", runs_of(50, 50)))
    assert verdict_of(report).noise is None
    noise = verdict_of(replace(report, canary=runs_of(51, 51))).noise
    assert noise is not None
    assert noise.value == pytest.approx(1.02)
    assert not noise.is_clear
