import pytest

from loadtest.report.summary import caveats, pareto_points, summary_rows, summary_table, verdict
from loadtest.results.comparison import Report
from tests.loadtest.examples import candidate, level, report, two_candidates


def test_verdict_states_capacity_speed_quality_and_front() -> None:
    assert verdict(two_candidates()) == (
        "int8@openvino holds more than 64 users; dense@torch throttles at 52 users (45..54). "
        "At 32 users int8@openvino answers 3.1 \N{MULTIPLICATION SIGN} faster (p95) at 0.2 points less accuracy. "
        "On the front of accuracy against p95: int8@openvino, dense@torch."
    )


def test_verdict_on_one_candidate_is_its_threshold() -> None:
    assert verdict(report(candidate("dense@torch", [level(8)]))) == "dense@torch holds more than 8 users."


@pytest.mark.parametrize(
    ("p95_ms", "accuracy", "words"),
    [
        (20.0, 0.9, "answers as fast (p95) at the same accuracy"),
        (40.0, 0.95, "answers 2.0 \N{MULTIPLICATION SIGN} slower (p95) at 5.0 points more accuracy"),
        (1.0, None, "answers 20 \N{MULTIPLICATION SIGN} faster (p95). "),
    ],
)
def test_verdict_follows_the_numbers(p95_ms: float, accuracy: float | None, words: str) -> None:
    first = candidate("dense@torch", [level(8), level(16, 0.02)], 0.9)
    best = candidate("int8@torch", [level(8, p95_ms=p95_ms), level(16)], accuracy)
    assert words in verdict(report(first, best))


def test_verdict_says_when_nothing_can_be_compared() -> None:
    text = verdict(report(candidate("a@torch", [level(2)]), candidate("b@torch", [level(1, 0.5)])))
    assert "a@torch holds more than 2 users; b@torch throttles already at 1 user." in text
    assert "No level is held by all candidates" in text


def test_rows_compare_at_levels_that_all_share() -> None:
    dense, int8 = summary_rows(two_candidates())
    assert (dense.name, dense.light_p95_ms, dense.common_p95_ms, dense.threshold) == (
        "dense@torch",
        40.0,
        62.0,
        "52 (45..54)",
    )
    assert (int8.name, int8.light_p95_ms, int8.common_p95_ms, int8.threshold) == ("int8@openvino", 15.0, 20.0, "> 64")
    assert dense.on_front
    assert int8.on_front
    assert dense.max_ok_per_s == 400.0


def test_table_says_at_which_levels_it_compares() -> None:
    header, rows = summary_table(two_candidates())
    assert header[3:6] == ("p50 at 16 users, ms", "p95 at 16 users, ms", "p95 at 32 users, ms")
    assert rows[0] == ("dense@torch", "90.2%", "24", "10", "40", "62", "400", "52 (45..54)", "yes")


def test_candidate_without_a_quality_is_on_no_front() -> None:
    compared = report(candidate("a@torch", [level(8)], None), candidate("b@torch", [level(8)], 0.9))
    assert list(pareto_points(compared)) == ["b@torch"]
    assert [row.on_front for row in summary_rows(compared)] == [False, True]
    assert summary_table(compared)[1][0][1] == "\N{EN DASH}"


def test_caveats_name_candidate_and_level() -> None:
    doubted = report(candidate("a@torch", [level(8), level(16, doubts=("it drifted.",))]))
    assert caveats(doubted) == ("a@torch at 16 users: it drifted.",)


def test_report_knows_its_first_candidate_as_the_one_to_compare_with() -> None:
    dense, int8 = two_candidates().candidates
    other = candidate("tiny@torch", [level(16), level(32, 0.5)], 0.5)
    text = verdict(Report((dense, other, int8), think_time_s=0.1))
    assert text.startswith("int8@openvino holds more than 64 users; dense@torch throttles at 52 users (45..54).")


def test_a_candidate_that_holds_more_users_at_much_less_accuracy_is_not_called_the_best() -> None:
    dense, int8 = two_candidates().candidates
    shallow = candidate("layers-1@torch", [level(16, p95_ms=1.0), level(32, p95_ms=1.0), level(64, p95_ms=1.0)], 0.7)
    text = verdict(Report((dense, int8, shallow), think_time_s=0.1))
    assert text.startswith("int8@openvino holds more than 64 users; dense@torch throttles at 52 users (45..54).")
    assert "layers-1@torch holds more than 64 users, but at 20.0 points less accuracy." in text


def test_a_metric_that_is_no_share_is_told_as_it_is_and_by_its_name() -> None:
    levels = [level(16, p95_ms=20.0)]
    compared = report(
        candidate("dense@torch", levels, 0.61, "Matthews correlation"),
        candidate("int8@torch", [level(16, p95_ms=10.0)], 0.58, "Matthews correlation"),
    )
    header, rows = summary_table(compared)
    assert (header[1], rows[0][1], rows[1][1]) == ("Matthews correlation", "0.61", "0.58")
    assert verdict(compared).endswith("On the front of Matthews correlation against p95: int8@torch, dense@torch.")


def test_a_point_of_a_metric_in_percent_is_one() -> None:
    dense = candidate("dense@torch", [level(8), level(16, 0.5)], 88.5, "F1")
    close = candidate("close@torch", [level(8), level(16)], 87.6, "F1")
    far = candidate("far@torch", [level(8), level(16), level(32)], 87.4, "F1")
    text = verdict(report(dense, close, far))
    assert text.startswith("close@torch holds more than 16 users;")
    assert "far@torch holds more than 32 users, but at 0.2 less F1." in text


def test_candidates_by_another_metric_than_the_first_are_on_no_front() -> None:
    compared = report(candidate("a@torch", [level(8)], 0.9), candidate("b@torch", [level(8)], 88.5, "F1"))
    assert list(pareto_points(compared)) == ["a@torch"]
    header, rows = summary_table(compared)
    assert header[1] == "F1 / accuracy"
    assert [row[1] for row in rows] == ["90.0%", "88.5"]
