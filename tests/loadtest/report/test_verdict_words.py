from dataclasses import replace
from typing import Any

import pytest

from loadtest.report.summary import summary_table
from loadtest.report.verdict_words import Fact, mark_of, verdict_text, words_of
from loadtest.results.comparison import CandidateReport, Difference, Report, Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.ratios import Ratio
from loadtest.statistics.verdict import Verdict, verdict_of
from tests.loadtest.examples import candidate, level, report, two_candidates
from tests.loadtest.report.example_campaign import COMMAND, example_campaign

CLEAR, UNCLEAR = Ratio(1.22, (1.18, 1.26), 3, False), Ratio(1.02, (0.97, 1.07), 3, False)
WINNER = Verdict("winner", "int8@openvino", ("int8@openvino",), "dense@torch", CLEAR, "dense@torch", CLEAR)


def _facts(compared: Report, found: Verdict) -> dict[str, Fact]:
    return {fact.name: fact for fact in words_of(compared, found).facts}


def test_a_winner_is_shipped_with_its_effect_and_the_interval() -> None:
    words = words_of(two_candidates(), WINNER)
    assert words.headline == "Ship int8@openvino: 1.22 \N{MULTIPLICATION SIGN} the users of dense@torch."
    assert "That is 1.22 \N{MULTIPLICATION SIGN} (1.18..1.26) as many." in words.facts[0].text


def test_a_rate_without_users_is_told_by_what_was_answered() -> None:
    def headline(**changes: Any) -> str:
        alone = CandidateReport("endpoint", "endpoint", "", (Run(0, 0, "", common_rate=level(50, 0.1, **changes)),))
        return words_of(report(alone), verdict_of(report(alone))).headline

    text = "Endpoint answered 360 requests per second, 95 % of them within 20 ms, and left 10.0% unserved"
    assert headline() == f"{text}."
    assert headline(doubts=("the generator was 9.1 ms late (p99).",)) == (
        f"{text}; this is doubted, as the generator was 9.1 ms late (p99)."
    )


def test_a_tie_and_an_open_question_are_answers() -> None:
    both = ("int8@openvino", "dense@torch")
    tie = replace(WINNER, kind="tie", leaders=both, effect=UNCLEAR)
    undecided = replace(tie, kind="undecided", recommended="dense@torch", against="int8@openvino")
    text = words_of(two_candidates(), tie).headline
    assert text == (
        "No clear winner: int8@openvino and dense@torch hold the same number of users within 5 %. Take int8@openvino."
    )
    text = words_of(two_candidates(), undecided).headline
    assert text == (
        "No clear winner yet: dense@torch and int8@openvino cannot be told apart. "
        "int8@openvino seems best; keep dense@torch until it is sure."
    )
    assert "as many, which may be noise." in _facts(two_candidates(), undecided)["Effect"].text


def test_a_candidate_that_was_never_given_too_much_may_hold_more() -> None:
    compared = two_candidates()
    words = words_of(compared, verdict_of(compared))
    assert words.headline == "No clear winner yet: int8@openvino was never given too much."
    bounded = _facts(compared, verdict_of(compared))["Only bounded"]
    assert bounded == Fact("Only bounded", "int8@openvino held all of the 64 users it was given (> 64 for sure).", True)


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (Difference(-0.0046, (-0.01, 0.001), 0.12, 0.99), "0.46 points less accuracy than dense@torch (-1.0..+0.1)"),
        (Difference(0.02, (0.01, 0.03), 0.0001, 0.9), "2.00 points more accuracy than dense@torch (+1.0..+3.0)"),
        (Difference(0.0, (-0.001, 0.001), 1.0, 1.0), "The same accuracy as dense@torch (-0.1..+0.1)"),
    ],
)
def test_what_it_costs_in_quality_is_told_with_its_interval(difference: Difference, words: str) -> None:
    text = _facts(two_candidates(), replace(WINNER, quality=difference))["Quality"].text
    assert text.startswith(f"{words} of the same 872 examples, McNemar's p ")
    assert text.endswith("may be noise.") == (difference.interval[0] <= 0 <= difference.interval[1])


def test_a_quality_that_is_not_paired_is_told_without_an_interval() -> None:
    text = _facts(two_candidates(), WINNER)["Quality"].text
    assert text == "0.2 points less accuracy than dense@torch; how sure that is was not measured."


def test_a_canary_that_is_off_is_a_warning() -> None:
    off, near = Ratio(0.92, (0.9, 0.94), 3, False), Ratio(1.01, (0.97, 1.05), 3, False)
    assert not _facts(two_candidates(), replace(WINNER, noise=near))["Canary"].is_warning
    canary = _facts(two_candidates(), replace(WINNER, noise=off))["Canary"]
    assert canary.is_warning
    assert "outside of 5 %" in canary.text


def test_how_sure_it_is_says_where_starts_of_the_server_were_not_repeated() -> None:
    one = _facts(two_candidates(), replace(WINNER, sureness=0.97))["How sure"].text
    assert "how much two starts of a server differ was not measured" in one
    assert "It holds more than dense@torch with 97 % (chance among 2 candidates allowed for)." in one
    assert "Measured in 3 blocks" in _facts(example_campaign(), verdict_of(example_campaign()))["How sure"].text


def test_what_was_left_out_failed_or_dropped_is_said() -> None:
    facts = _facts(example_campaign(), verdict_of(example_campaign()))
    assert facts["Left out"].text == "jpqd@openvino loses clearly more than 2 points of quality."
    assert facts["Failed"].text == "jpqd@openvino: The server ended while it loaded the model; see server.log."
    assert facts["Dropped"].text == "jpqd@openvino: It loses clearly more quality than may be lost."


def test_marks_say_what_the_verdict_says_of_each() -> None:
    compared = example_campaign()
    marks = [mark_of(compared, one, verdict_of(compared)) for one in compared.candidates]
    assert marks == ["compared with", "behind", "recommended", "loses too much"]
    undecided = verdict_of(two_candidates())
    marks = [mark_of(two_candidates(), one, undecided) for one in two_candidates().candidates]
    assert marks == ["seems best", "may hold more"]


def test_one_candidate_is_told_by_its_threshold() -> None:
    alone = report(candidate("dense@torch", [level(8), level(9, 0.01), level(10, 0.3)]))
    assert words_of(alone, verdict_of(alone)).headline.startswith("dense@torch throttles at 9 users (")
    ended = replace(alone.candidates[0], runs=(Run(0, 0, "", failure="It ended."),))
    words = words_of(report(ended), verdict_of(report(ended)))
    assert words.headline == "The threshold of dense@torch is not known."
    assert words.facts == (Fact("Failed", "dense@torch: It ended.", True),)


def test_the_next_command_serves_a_winner() -> None:
    text = verdict_text(example_campaign(), verdict_of(example_campaign()))
    assert text.endswith("Next: paretoserve serve store/sst2/int8@openvino")


def test_the_next_command_measures_more_where_that_may_decide() -> None:
    open_question = Verdict("undecided", "dense@onnxruntime", ("dense@onnxruntime", "nas@onnxruntime"), more_blocks=4)
    compared = example_campaign()
    more = COMMAND.replace(" --blocks 3", "") + " --blocks 7"
    assert words_of(compared, open_question).command == more
    assert words_of(compared, replace(open_question, more_blocks=None)).command is None
    quick = replace(compared, is_quick=True, conditions={"Command": "paretoserve compare --store s --quick --out o"})
    assert words_of(quick, open_question).command == "paretoserve compare --store s --out o"


def test_the_next_command_gives_more_users_where_too_few_were_tried() -> None:
    compared = replace(
        two_candidates(), conditions={"Command": "paretoserve compare --users 16,32,64 --store store/sst2"}
    )
    wanted = "paretoserve compare --users 16,32,64,128,256 --store store/sst2"
    assert words_of(compared, verdict_of(compared)).command == wanted


def test_a_report_that_does_not_say_how_it_was_made_has_no_next_command() -> None:
    assert words_of(two_candidates(), WINNER).command is None


def _bracketed(name: str, low: float, high: float) -> CandidateReport:
    threshold = Threshold(None, (low, high), f"{low:g}\N{EN DASH}{high:g}", (low, high))
    levels = (level(low), level(high, 0.1))
    return replace(candidate(name, levels), runs=(Run(0, 0, "", levels, threshold),))


def test_a_winner_whose_threshold_is_no_number_is_shipped_with_what_it_holds_at_least() -> None:
    compared = report(_bracketed("dense@torch", 12, 16), _bracketed("int8@openvino", 30, 42))
    found = verdict_of(compared)
    times = "at least 1.67 \N{MULTIPLICATION SIGN}"
    assert words_of(compared, found).headline == f"Ship int8@openvino: {times} the users of dense@torch."
    assert _facts(compared, found)["Effect"].text == (
        "int8@openvino throttles somewhere between 30 and 42 users; dense@torch throttles somewhere between 12 and 16 "
        f"users. That is {times} as many, by what bounds the two."
    )
    assert "Only bounded" not in _facts(compared, found)
    assert [mark_of(compared, one, found) for one in compared.candidates] == ["compared with", "recommended"]
    header, rows = summary_table(compared)
    assert [row[header.index("users against the first (95%)")] for row in rows] == ["\N{EN DASH}", times]


def test_brackets_that_overlap_are_not_told_apart() -> None:
    compared = report(_bracketed("dense@torch", 12, 32), _bracketed("int8@openvino", 30, 42))
    found = verdict_of(compared)
    assert "cannot be told apart" in words_of(compared, found).headline
    assert "as many" not in _facts(compared, found)["Effect"].text
    assert summary_table(compared)[0].count("users against the first (95%)") == 0
