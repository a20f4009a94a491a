from dataclasses import replace

from loadtest.report.level_tables import doubts_table, level_table, runs_table
from loadtest.report.summary import conditions_of, summary_table, variants_table, verdict
from loadtest.results.comparison import Run
from tests.loadtest.examples import candidate, level, report, two_candidates
from tests.loadtest.report.example_campaign import example_campaign


def test_the_columns_that_decide_come_first() -> None:
    header, rows = summary_table(example_campaign())
    assert header == (
        "candidate",
        "verdict",
        "throttles at, users (95%)",
        "users against the first (95%)",
        "accuracy (95%)",
        "points against the first (95%)",
        "p95 at 40 requests/s, ms",
        "requests/s within p95=200ms (95%)",
        "cost of a million (95%)",
        "size, MB",
    )
    assert [row[0] for row in rows] == [one.name for one in example_campaign().candidates]
    assert (rows[0][3], rows[0][5]) == ("\N{EN DASH}", "\N{EN DASH}")
    assert rows[2][3].startswith("2.46 \N{MULTIPLICATION SIGN} (")


def test_columns_that_say_nothing_are_left_out() -> None:
    header, rows = summary_table(two_candidates())
    assert header == (
        *("candidate", "verdict", "throttles at, users (95%)", "accuracy (95%)", "p95 at 16 users, ms", "size, MB"),
    )
    assert rows[1] == ("int8@openvino", "may hold more", "> 64", "90.00%", "15", "24")


def test_a_threshold_between_levels_far_apart_is_told_as_these() -> None:
    _, rows = summary_table(report(candidate("a@torch", [level(8), level(16, 0.3)])))
    assert rows[0][1] == "8\N{EN DASH}16"


def test_a_candidate_without_a_level_has_a_row_and_the_rest_a_report() -> None:
    failed = replace(candidate("b@torch", [level(8)]), runs=(Run(0, 1, "", failure="It ended."),))
    compared = report(candidate("a@torch", [level(8), level(9, 0.3)]), failed)
    _, rows = summary_table(compared)
    assert rows[1][:2] == ("b@torch", "not measured")
    assert "b@torch: It ended." in verdict(compared)


def test_several_metrics_are_all_in_the_heading() -> None:
    compared = report(candidate("a@torch", [level(8)], 0.9), candidate("b@torch", [level(8)], 88.5, "F1"))
    header, rows = summary_table(compared)
    assert "F1 / accuracy (95%)" in header
    assert [row[header.index("F1 / accuracy (95%)")] for row in rows] == ["90.00%", "88.5"]


def test_doubts_are_a_table_with_candidate_level_and_reason() -> None:
    doubted = report(candidate("a@torch", [level(8), level(16, doubts=("it drifted.",))]))
    assert doubts_table(doubted).rows == (("a@torch", "1", "16 users", "it drifted."),)
    run = replace(doubted.candidates[0].runs[0], levels=(), common_rate=level(12.5, doubts=("late.",)))
    open_loop = report(replace(doubted.candidates[0], runs=(run,)))
    assert doubts_table(open_loop).rows == (("a@torch", "1", "12.5 requests/s", "late."),)


def test_levels_say_whether_they_are_used() -> None:
    table = level_table(
        report(candidate("a@torch", [level(16, doubts=("it drifted.",)), level(8)])), ("users", "p95_ms")
    )
    assert table.header == ("candidate", "users", "p95, ms", "used")
    assert table.rows == (("a@torch", "8", "20", "yes"), ("a@torch", "16", "20", "no"))


def test_runs_stand_in_the_order_of_their_blocks_with_the_canary() -> None:
    table = runs_table(example_campaign())
    places = [(row[1], row[2]) for row in table.rows]
    assert places == sorted(places)
    assert sum("canary" in row[0] for row in table.rows) == 3
    assert "The server ended while it loaded the model; see server.log." in {row[-1] for row in table.rows}
    assert {"started", "steal", "failure"} <= set(table.header)


def test_conditions_have_the_seed_the_blocks_and_the_objective() -> None:
    found = conditions_of(example_campaign())
    assert (found["Seed"], found["Blocks"], found["Objective"]) == ("7", "3 of 3 planned", "p95=200ms")
    assert (found["Common rate"], found["Queue deadline"]) == ("40 requests/s", "250 ms")
    assert "Objective" not in conditions_of(two_candidates())


def test_variants_are_told_apart_by_what_is_known_of_them() -> None:
    header, rows = variants_table(example_campaign())
    assert header == (
        *("candidate", "accuracy (95%)", "F1", "computes in", "parameters", "not zero", "MACs per token", "made in, s"),
    )
    assert rows[0][3:5] == ("float32", "22,725,000")
    assert variants_table(two_candidates())[1] == ()
