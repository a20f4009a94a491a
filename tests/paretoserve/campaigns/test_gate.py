from dataclasses import replace
from typing import Any

import pytest

from loadtest.results.comparison import Quality, Report, Run
from loadtest.results.errors import LoadTestError
from loadtest.results.threshold import Threshold
from loadtest.statistics.accuracy import encode_right
from paretoserve.campaigns.gate import (
    EXIT_CODES,
    Condition,
    Outcome,
    differing_conditions,
    judge,
    outcome_of,
    parse_condition,
)
from tests.loadtest.examples import candidate, level, report

CONDITIONS = {"Processor": "one", "Data": "sst2/dev", "Admission": "queue deadline of 100 ms"}
NAME = "dense@torch"


def found(thresholds: tuple[float, ...], p95_ms: tuple[float, ...] = (), right: tuple[bool, ...] = ()) -> Report:
    """A report of one candidate with these thresholds, a block each, and response times at the common rate."""
    runs = tuple(
        Run(
            block,
            0,
            "2026-01-02T03:04:05Z",
            threshold=Threshold(users, (users - 1, users + 1), f"{users}", (users * 0.98, users * 1.02)),
            common_rate=level(50.0, p95_ms=p95_ms[block], think_ms=None) if p95_ms else None,
        )
        for block, users in enumerate(thresholds)
    )
    quality = (
        Quality(sum(right) / len(right), "accuracy", len(right), "sst2/dev", right=encode_right(right))
        if right
        else None
    )
    one = replace(candidate(NAME, [level(8)]), runs=runs, quality=quality)
    return replace(report(one), conditions=CONDITIONS, common_rate_per_s=50.0)


BASELINE = found((50.0, 51.0, 49.0), (20.0, 20.2, 19.8))


def outcome(condition: str, now: Report, then: Report = BASELINE) -> Outcome:
    return outcome_of(judge(now, then, [parse_condition(condition)]))


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [((40.0, 40.5, 39.5), "fails"), ((50.0, 50.5, 49.5), "holds"), ((45.0, 46.0, 44.0), "undecided")],
)
def test_a_threshold_fails_only_where_its_whole_interval_is_below(thresholds: Any, expected: Outcome) -> None:
    assert outcome("threshold<0.9x", found(thresholds)) == expected


@pytest.mark.parametrize(
    ("p95_ms", "expected"),
    [((30.0, 30.2, 29.8), "fails"), ((20.0, 20.1, 19.9), "holds"), ((22.0, 22.5, 21.5), "undecided")],
)
def test_a_p95_fails_only_where_its_whole_interval_is_above(p95_ms: Any, expected: Outcome) -> None:
    assert outcome("p95>1.1x", found((50.0, 51.0, 49.0), p95_ms)) == expected


@pytest.mark.parametrize(("wrong", "expected"), [(60, "fails"), (0, "holds"), (12, "undecided")])
def test_quality_is_compared_example_by_example(wrong: int, expected: Outcome) -> None:
    every = tuple(i >= 40 for i in range(1000))
    fewer = tuple(is_right and not 40 <= i < 40 + wrong for i, is_right in enumerate(every))
    then, now = found((50.0, 50.0), right=every), found((50.0, 50.0), right=fewer)
    assert outcome("quality<-1.0", now, then) == expected


def test_exit_codes_tell_a_failure_from_what_is_not_sure() -> None:
    assert EXIT_CODES == {"holds": 0, "fails": 3, "undecided": 4}


def test_one_failure_counts_more_than_what_holds_or_is_not_sure() -> None:
    conditions = [parse_condition(text) for text in ("threshold<0.5x", "threshold<0.9x", "p95>1.1x")]
    findings = judge(found((40.0, 40.5, 39.5)), BASELINE, conditions)
    assert [finding.outcome for finding in findings] == ["holds", "fails", "undecided"]
    assert outcome_of(findings) == "fails"
    assert outcome_of(findings[::2]) == "undecided"
    assert findings[1].text.startswith("dense@torch: threshold<0.9x fails: threshold is 0.80 times (")


def test_what_was_not_measured_is_undecided_and_says_why() -> None:
    (finding,) = judge(found((50.0, 50.0, 50.0)), BASELINE, [parse_condition("p95>1.1x")])
    assert finding.outcome == "undecided"
    assert "a response time was not measured" in finding.text


def test_a_candidate_that_could_not_be_measured_is_undecided_with_the_reason() -> None:
    runs = (Run(0, 0, "", failure="The server ended at its start."),)
    failed = replace(BASELINE, candidates=(replace(BASELINE.candidates[0], runs=runs),))
    for condition in ("threshold<0.9x", "p95>1.1x"):
        (finding,) = judge(failed, BASELINE, [parse_condition(condition)])
        assert finding.outcome == "undecided"
        assert "because now a run failed: The server ended at its start." in finding.text


def test_two_equal_response_times_are_not_known_for_certain() -> None:
    assert outcome("p95>1.01x", found((50.0, 50.0), (20.1, 20.1)), found((50.0, 50.0), (20.0, 20.0))) == "undecided"


def test_response_times_at_other_rates_are_not_compared() -> None:
    (finding,) = judge(replace(BASELINE, common_rate_per_s=60.0), BASELINE, [parse_condition("p95>1.1x")])
    assert finding.outcome == "undecided"
    assert "different common rates" in finding.text


@pytest.mark.parametrize("name", CONDITIONS)
def test_other_conditions_are_refused_by_their_name(name: str) -> None:
    other = replace(BASELINE, conditions={**CONDITIONS, name: "another"})
    with pytest.raises(LoadTestError, match=rf"{name} \({CONDITIONS[name]} there, another here\)"):
        judge(other, BASELINE, [parse_condition("threshold<0.9x")])


def test_another_think_time_is_refused() -> None:
    assert "Think time (0.1 s there, 1 s here)" in differing_conditions(replace(BASELINE, think_time_s=1.0), BASELINE)


def test_an_image_that_was_built_anew_is_what_is_under_test() -> None:
    there, here = (
        replace(BASELINE, conditions={**CONDITIONS, "Server": f"a container of paretoserve:torch ({digest}), with"})
        for digest in ("0123456789ab", "ba9876543210")
    )
    assert not differing_conditions(here, there)


def test_a_candidate_of_the_baseline_may_not_be_missing() -> None:
    other = replace(BASELINE, candidates=(replace(BASELINE.candidates[0], name="int8@torch"),))
    with pytest.raises(LoadTestError, match="The baseline has dense@torch, which this comparison lacks"):
        judge(other, BASELINE, [])


@pytest.mark.parametrize("text", ["threshold<0.9x", " p95 > 1.1x", "quality<-1.0", "quality<+0.5"])
def test_conditions_are_read(text: str) -> None:
    read = parse_condition(text)
    assert isinstance(read, Condition)
    assert parse_condition(str(read)) == read


@pytest.mark.parametrize(
    "text", ["", "threshold", "threshold>0.9x", "threshold<0.9", "p95<1.1x", "quality<-1x", "p99>1.1x", "threshold<x"]
)
def test_what_is_no_condition_is_told_with_what_is_accepted(text: str) -> None:
    with pytest.raises(LoadTestError, match=r"give threshold<0\.9x or p95>1\.1x .* quality<-1\.0"):
        parse_condition(text)
