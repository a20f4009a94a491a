"""What is steady and what is not, on queues and on response times of known kinds."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest.plan.settings import Campaign
from loadtest.results.levels import Window
from loadtest.results.records import RequestRow
from loadtest.statistics.steadiness import PATIENCE, Dwell, begin, response_change, watched, why_unsteady_at_rate
from tests.loadtest.examples import row
from tests.loadtest.simulation import Queue, attempts

CAMPAIGN = Campaign("http://127.0.0.1:1", Path("bodies"), max_dwell_s=20.0)
SETTLE_S, POLL_S, SEEDS = 2.0, 0.5, 10

Rows = list[RequestRow]


def drifting(at_s: float) -> float:
    """By 30 % in six seconds, again and again."""
    return float(1.3 ** (max(0.0, at_s - SETTLE_S) / 6))


def level(campaign: Campaign, rows: Rows) -> tuple[Dwell, float]:
    """The end of a level that is looked at twice a second, and when that is."""
    done_s, now_s = [one.t_done_s for one in rows], SETTLE_S
    dwell = begin(now_s)
    while not dwell.is_over:
        now_s += POLL_S
        dwell = watched(campaign, rows[: bisect_right(done_s, now_s)], dwell, now_s)
    return dwell, now_s


def queue_rows(rate: int, load: float, seed: int, drift: Callable[[float], float] | None) -> Rows:
    """Of so many users, who think for a second, with a queue of one server that they use to this part."""
    service_s = load / rate
    queue = Queue(service_s, gate_s=8 * service_s, think_s=1 - service_s, drift=drift)
    found = attempts(queue, rate, SETTLE_S + CAMPAIGN.max_dwell_s + 1, np.random.default_rng(seed))
    rows = [row(one.done_s, one.response_s * 1e3, "ok" if one.served else "rejected") for one in found]
    return sorted(rows, key=lambda one: one.t_done_s)


def independent_rows(rate: int, seed: int, drift: Callable[[float], float] | None) -> Rows:
    """Arrivals at random, with response times that have nothing to do with each other and a long tail."""
    random = np.random.default_rng(seed)
    due_s = np.cumsum(random.exponential(1 / rate, int(rate * 24)))
    times_ms = 20 * np.exp(random.normal(0, 0.5, len(due_s)))
    rows = [
        row(due + ms * (drift(due) if drift else 1) / 1e3, ms * (drift(due) if drift else 1))
        for due, ms in zip(due_s.tolist(), times_ms.tolist(), strict=True)
    ]
    return sorted(rows, key=lambda one: one.t_done_s)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("rate", [40, 130, 400])
@pytest.mark.parametrize("load", [0.6, 0.9, None], ids=["queue 60 %", "queue 90 %", "independent"])
def test_a_drift_of_30_percent_is_seen_and_a_stationary_level_passes(rate: int, load: float | None) -> None:
    def passed(drift: Callable[[float], float] | None) -> int:
        found = [
            queue_rows(rate, load, seed, drift) if load else independent_rows(rate, seed, drift)
            for seed in range(SEEDS)
        ]
        return sum(not level(CAMPAIGN, rows)[0].unsteady for rows in found)

    assert passed(None) >= SEEDS - 1
    assert passed(drifting) <= 1


def even(*per_second: tuple[int, float], start_s: float = SETTLE_S) -> Rows:
    """So many evenly spaced answers of so many ms in each second."""
    return [
        row(start_s + second + place / count, response_ms)
        for second, (count, response_ms) in enumerate(per_second)
        for place in range(count)
    ]


def test_an_even_level_ends_after_the_shortest_dwell_and_one_that_is_clean_beyond_doubt_before() -> None:
    assert level(CAMPAIGN, even(*[(50, 10.0)] * 30)) == (Dwell(2.0, 2.0, is_over=True), 8.0)
    assert level(CAMPAIGN, even(*[(4000, 10.0)] * 30))[1] == 5.0


def test_what_changed_is_said_in_a_sentence() -> None:
    rows = even(*[(500, 10.0 * 1.06**second) for second in range(30)])
    dwell, _ = level(CAMPAIGN, rows)
    assert dwell.unsteady == "the response time rose by 41% while it was measured."


def test_a_level_that_becomes_steady_is_measured_from_then_on() -> None:
    rows = even(*[(500, 30.0 - 3 * second) for second in range(6)], *[(500, 12.0)] * 20)
    dwell, end_s = level(CAMPAIGN, rows)
    assert dwell == Dwell(2.0, 8.0, windows_before=1, is_over=True)
    assert end_s == 14.0


def test_a_share_that_begins_to_be_rejected_is_not_steady() -> None:
    rows = even(*[(500, 10.0)] * 12)
    begun = [
        one._replace(outcome="rejected", status=429) if place % 100 < place / 150 else one
        for place, one in enumerate(rows)
    ]
    exact = replace(CAMPAIGN, exact_levels=True, max_dwell_s=8.0)
    assert "the unserved share rose by" in level(exact, begun)[0].unsteady


def test_a_throughput_that_falls_by_half_is_not_steady() -> None:
    rows = even(*[(600 - 50 * second, 10.0) for second in range(8)])
    found, _ = level(replace(CAMPAIGN, max_dwell_s=6.0), rows)
    assert "the throughput fell by" in found.unsteady


def test_a_level_that_is_hopeless_ends_early_on_the_way_to_a_threshold_only() -> None:
    rows = [row(2 + place / 100, 2.0, "rejected" if place % 3 else "ok") for place in range(3000)]
    dwell, end_s = level(CAMPAIGN, rows)
    assert (dwell.unsteady, end_s) == ("", 5.0)
    assert level(replace(CAMPAIGN, exact_levels=True), rows)[1] >= 8.0


def test_a_level_with_too_few_requests_says_so_when_its_time_is_up() -> None:
    dwell, end_s = level(CAMPAIGN, even(*[(1, 10.0)] * 30))
    assert (dwell.unsteady, end_s) == ("it had only 20 requests in 20 s.", 22.0)


def test_few_requests_of_a_single_user_are_enough_where_they_are_alike() -> None:
    dwell, end_s = level(CAMPAIGN, even(*[(5, 10.0), (5, 12.0)] * 15))
    assert (dwell.unsteady, end_s) == ("", 22.0)


def wandering(seed: int) -> Callable[[float], float]:
    """A machine that is a tenth faster or slower in each third of a second."""
    speeds = np.exp(np.random.default_rng(seed).normal(0, 0.1, 200)).tolist()
    return lambda at_s: float(speeds[int(3 * at_s)])


def test_a_short_level_that_cannot_be_told_yet_is_watched_on_instead_of_refused() -> None:
    short = replace(CAMPAIGN, min_dwell_s=2.0, max_dwell_s=4.5, min_attempts=32)
    found = [level(short, queue_rows(100, 0.7, seed, wandering(seed))) for seed in range(2 * SEEDS)]
    assert sum(not dwell.unsteady for dwell, _ in found) >= 1.6 * SEEDS
    assert any(end_s > SETTLE_S + short.max_dwell_s and not dwell.unsteady for dwell, end_s in found)
    assert all(end_s <= SETTLE_S + PATIENCE * short.max_dwell_s for _, end_s in found)
    drifted = [level(short, queue_rows(100, 0.7, seed, lambda at_s: 1.3 ** (at_s / 2))) for seed in range(SEEDS)]
    assert sum(bool(dwell.unsteady) for dwell, _ in drifted) >= SEEDS - 1


def test_few_requests_that_are_alike_by_chance_from_slice_to_slice_are_not_known_well() -> None:
    times_ms = [8.0, 10.0, 12.0, 14.0, 14.0, 12.0, 10.0, 8.0] * 4
    rows = [row(2.05 + place / 8, ms) for place, ms in enumerate(times_ms)]
    change = response_change(rows, Window(2.0, 6.0))
    assert change is not None
    assert change.value == pytest.approx(0, abs=0.01)
    assert change.error > 0.1


def test_an_endpoint_that_rejects_everything_is_steady_in_that() -> None:
    rows = [row(2 + place / 100, 2.0, "rejected") for place in range(3000)]
    assert level(replace(CAMPAIGN, exact_levels=True), rows)[0].unsteady == ""


def test_what_requests_find_waiting_is_no_change_of_the_server() -> None:
    rows = queue_rows(130, 0.95, 3, None)
    change = response_change(rows, Window(2.0, 8.0))
    alone = response_change(rows, Window(2.0, 8.0), is_whole=True)
    assert change is not None
    assert alone is not None
    assert change.error < alone.error / 3


def open_loop(rate: int, service_s: float, seconds: float, seed: int) -> Rows:
    """Poisson arrivals at a queue with one server and no gate."""
    random = np.random.default_rng(seed)
    due_s = np.cumsum(random.exponential(1 / rate, int(rate * seconds)))
    rows, free_s = [], 0.0
    for due, service in zip(due_s.tolist(), random.gamma(25, service_s / 25, len(due_s)).tolist(), strict=True):
        free_s = max(free_s, due) + service
        rows.append(row(free_s, 1e3 * (free_s - due)))
    return rows


@pytest.mark.parametrize("rate", [40, 130, 400])
def test_at_a_rate_requests_that_pile_up_are_seen_and_a_server_that_keeps_up_passes(rate: int) -> None:
    window = Window(SETTLE_S, SETTLE_S + 10)

    def passed(load: float) -> int:
        found = [open_loop(rate, load / rate, 13, seed) for seed in range(SEEDS)]
        return sum(not why_unsteady_at_rate(rows, window) for rows in found)

    assert passed(0.5) >= SEEDS - 2
    assert passed(1.3) == 0


def test_at_a_rate_a_time_out_is_under_way_when_the_window_ends() -> None:
    window = Window(SETTLE_S, SETTLE_S + 10)
    rows = [row(place / 50 + 0.01) for place in range(600)]
    silent = [row(place / 50 + 10, 10_000.0, "timeout") for place in range(0, 600, 3)]
    assert not why_unsteady_at_rate(rows, window)
    assert "requests piled up" in why_unsteady_at_rate(sorted(rows + silent, key=lambda one: one.t_done_s), window)
