import numpy as np
import pytest

from loadtest.results.levels import LevelResult, VisitWindow, Window
from loadtest.results.records import Outcome, RequestRow
from loadtest.results.slo import Slo
from loadtest.results.visits import Slice
from loadtest.statistics.levels import (
    MIN_FOR_P95,
    MIN_FOR_P99,
    VisitRows,
    due_rows,
    little_error,
    summarise_visits,
    visit_rows,
)
from tests.loadtest.examples import row

VISIT = VisitWindow(4, Window(10.0, 20.0), in_flight=2, generator_cpu_share=0.5)


def summarised(rows: list[RequestRow]) -> LevelResult:
    return summarise_visits([visit_rows(VISIT, rows)])


def _closed_loop(users: int, response_s: float, think_s: float, until_s: float) -> list[RequestRow]:
    """Users who always think and wait for the same time, out of phase."""
    cycle_s = response_s + think_s
    starts = [user * cycle_s / users for user in range(users)]
    done = [start + cycle_s * turn for start in starts for turn in range(1, int(until_s / cycle_s) + 1)]
    return [row(t_s, response_s * 1e3, think_s=think_s) for t_s in sorted(done)]


def test_level_counts_what_was_answered_inside_its_window() -> None:
    rows = [row(9.9), row(10.0), row(15.0, 12.0), row(16.0, 2.0, "rejected"), row(17.0, outcome="failed")]
    rows += [row(18.0, 500.0, "timeout"), row(20.0)]
    result = summarised(rows)
    assert (result.attempts, result.ok, result.rejected, result.failed, result.timeout) == (5, 2, 1, 1, 1)
    assert (result.offered_per_s, result.ok_per_s, result.p50_ms, result.censored) == (0.5, 0.2, 11.0, 2)
    assert result.unserved_share == pytest.approx(0.6)


def test_fast_rejections_leave_the_percentiles_of_the_answers_alone() -> None:
    ok = [row(10 + place / 100, 400.0 + place) for place in range(600)]
    rejected = [row(16 + place / 200, 2.0, "rejected") for place in range(400)]
    alone, mixed = summarised(ok), summarised(ok + rejected)
    assert mixed.unserved_share == 0.4
    assert (mixed.p50_ms, mixed.p95_ms, mixed.p99_ms) == (alone.p50_ms, alone.p95_ms, alone.p99_ms)
    assert mixed.p50_ms == pytest.approx(699.5)


@pytest.mark.parametrize(
    ("count", "has_p95", "has_p99"),
    [(MIN_FOR_P95 - 1, False, False), (MIN_FOR_P95, True, False), (MIN_FOR_P99 - 1, True, False), (368, True, True)],
)
def test_tails_of_small_samples_are_not_given(count: int, has_p95: bool, has_p99: bool) -> None:
    result = summarised([row(10 + place / 100) for place in range(count)])
    assert (result.p95_ms is not None, result.p99_ms is not None) == (has_p95, has_p99)


@pytest.mark.parametrize(("percent", "count"), [(95, MIN_FOR_P95), (99, MIN_FOR_P99)])
def test_smallest_samples_are_those_that_bound_the_percentile_from_both_sides(percent: int, count: int) -> None:
    # The chance that all n values lie below the percentile must not exceed 2.5 %.
    assert (percent / 100) ** count <= 0.025 < (percent / 100) ** (count - 1)


def test_server_times_are_means_over_the_answers_that_state_them() -> None:
    stated = row(11.0)._replace(stated_ms=(0.5, 1.0, None, 4.0, None, 7.0, 8.0))
    also = row(12.0)._replace(stated_ms=(0.5, 3.0, None, 6.0, None, 9.5, 9.8))
    result = summarised([stated, also, row(13.0)])
    expected = {"transport": 1.1, "wire": 0.65, "tokenize": 0.5, "queue": 2.0, "infer": 5.0, "unattributed": 0.75}
    assert result.phases_ms == pytest.approx(expected)


def test_littles_law_holds_in_a_closed_loop() -> None:
    rows = [r for r in _closed_loop(8, 0.02, 0.1, 30.0) if 10 <= r.t_done_s < 20]
    assert little_error(8, 10.0, rows) < 0.01


def test_lost_records_break_littles_law() -> None:
    rows = [r for r in _closed_loop(8, 0.02, 0.1, 30.0) if 10 <= r.t_done_s < 20]
    kept = [r for place, r in enumerate(rows) if place % 10]
    assert little_error(8, 10.0, kept) == pytest.approx(0.1, abs=0.01)


def test_level_without_any_answer_is_empty_and_not_an_error() -> None:
    result = summarised([])
    assert (result.attempts, result.p50_ms, result.unserved_share, result.unserved_share) == (0, None, 0.0, 0.0)


def visited(rows: list[RequestRow], unsteady: str = "") -> VisitRows:
    # Without pauses and on time: four users always have a request under way, so Little's law holds.
    return visit_rows(VisitWindow(4, Window(10.0, 20.0), 0, 0.5, unsteady=unsteady), rows)


def busy(outcome: Outcome = "ok", every: int = 1) -> list[RequestRow]:
    """Four users, a hundred requests a second; one of so many has the outcome."""
    return [row(10 + place / 100, 40.0, outcome if place % every == 0 else "ok", think_s=0.0) for place in range(1000)]


def test_a_visit_that_fails_a_gate_is_not_pooled() -> None:
    pooled = summarise_visits([visited(busy()), visited(busy("rejected", 2), unsteady="it drifted.")])
    assert (pooled.attempts, pooled.rejected, pooled.doubtful_visits, pooled.visits_made) == (1000, 0, 1, 2)
    assert (pooled.is_sound, len(pooled.slices)) == (True, 10)


def test_failures_are_not_pooled_but_their_seconds_count_for_the_threshold() -> None:
    pooled = summarise_visits([visited(busy()), visited(busy("failed", 10))])
    assert (pooled.attempts, pooled.failed, pooled.is_sound) == (1000, 0, True)
    assert sum(one.bad for one in pooled.slices) == 100
    alone = summarise_visits([visited(busy("failed", 10))])
    assert (alone.doubts, alone.only_failures, alone.counts) == (("100 requests failed.",), True, True)
    both = summarise_visits([visited(busy("failed", 10), unsteady="it drifted.")])
    assert (both.doubts, both.only_failures, both.counts) == (("it drifted.", "100 requests failed."), False, False)


def test_a_level_without_a_sound_visit_is_kept_with_its_doubts() -> None:
    result = summarise_visits([visited(busy(), unsteady="it drifted."), visited(busy(), unsteady="it fell.")])
    assert (result.doubts, result.attempts, result.visits_made) == (("it drifted.", "it fell."), 2000, 2)


def test_percentile_interpolates_linearly() -> None:
    values = [float(value) for value in range(1, 101)]
    result = summarised([row(11 + value / 100, value) for value in values])
    assert result.p95_ms == pytest.approx(np.quantile(values, 0.95))


def test_a_request_of_the_open_loop_belongs_to_the_second_in_which_it_was_due() -> None:
    visit = VisitWindow(2.0, Window(10.0, 12.0), in_flight=0, generator_cpu_share=0.1)
    before, timed_out = row(10.5, 600.0), row(21.5, 10_000.0, "timeout")
    rows = [before, row(10.6, 10.0), row(12.1, 400.0), timed_out, row(12.2, 100.0)]
    result = summarise_visits([due_rows(visit, rows)], Slo(95, 300.0), closed_loop=False)
    assert (result.attempts, result.ok, result.timeout, result.late) == (3, 2, 1, 1)
    assert result.slices == (Slice(1, 0), Slice(2, 1))
    assert result.late_slices == (Slice(1, 0), Slice(2, 2))


def test_a_level_of_which_a_request_was_not_sent_is_doubted() -> None:
    visit = VisitWindow(1.0, Window(10.0, 20.0), in_flight=0, generator_cpu_share=0.1, not_sent=1)
    result = summarise_visits([due_rows(visit, [row(10.0 + second) for second in range(10)])], closed_loop=False)
    assert result.not_sent == 1
    assert result.doubts == ("the generator did not send 1 requests in time.",)


def test_a_window_of_decimals_keeps_its_last_second() -> None:
    start_s = 0.1 + 0.2
    visit = VisitWindow(1.0, Window(start_s, start_s + 2.3 - 0.3), in_flight=0, generator_cpu_share=0.1)
    assert len(summarise_visits([due_rows(visit, [row(1.0), row(2.2)])], closed_loop=False).slices) == 2
