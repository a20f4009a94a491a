"""The open loop in its own process against a real server: rates, stalls, rejections and time-outs."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from loadtest.campaign import REQUESTS_FILE, run_at_rate, run_campaign, saturation, search_rate
from loadtest.generator.events import CampaignEvent, LevelDone, LevelStarted, LevelTicked
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign
from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult
from loadtest.results.request_log import read_rows
from loadtest.results.slo import Slo
from tests.loadtest.mock_server import Answer, MockEndpoint, served

BODIES = tuple(f'{{"inputs": "sentence {place}"}}'.encode() for place in range(10))
STALL_S = 1.4


def settings(url: str, folder: Path) -> Campaign:
    bodies = folder / "bodies.jsonl"
    bodies.write_bytes(b"\n".join(BODIES))
    return Campaign(url, bodies, think_time_s=0.02, settle_s=0.2, min_dwell_s=1.5, max_dwell_s=2.5, min_attempts=20)


def at_rate(endpoint: MockEndpoint, folder: Path, rate: float, seconds: float, timeout_s: float = 10.0) -> LevelResult:
    with served(endpoint) as url:
        campaign = replace(settings(url, folder), timeout_s=timeout_s)
        return run_at_rate(campaign, rate, seconds, folder / "out")


def test_a_rate_is_sent_as_its_schedule_says_and_logged(tmp_path: Path) -> None:
    events: list[CampaignEvent] = []
    endpoint = MockEndpoint(service_s=0.02)
    with served(endpoint) as url:
        level = run_at_rate(settings(url, tmp_path), 80.0, 1.5, tmp_path / "out", events.append)
    due_s = Arrivals("poisson", 80.0).due_s(1.7)
    assert level.at == 80.0
    assert level.attempts == level.ok == sum(one >= 0.2 for one in due_s)
    assert level.think_ms is None
    assert level.phases_ms["infer"] == pytest.approx(20.0)
    rows = [row.request for row in read_rows(tmp_path / "out" / REQUESTS_FILE)]
    rows.sort(key=lambda row: row.user)
    assert [row.t_due_s - rows[0].t_due_s for row in rows] == pytest.approx([s - due_s[0] for s in due_s], abs=1e-5)
    assert [row.body for row in rows] == list(islice(Arrivals("poisson", 80.0).bodies(len(BODIES)), len(rows)))
    assert Counter(BODIES[row.body] for row in rows) == Counter(endpoint.bodies[1:])
    assert isinstance(events[0], LevelStarted)
    assert isinstance(events[1], LevelTicked)
    assert events[0].rate_per_s == events[1].rate_per_s == 80.0
    assert events[-1] == LevelDone(0, level)


def test_a_stall_shows_in_the_open_loop_and_not_in_the_closed_one(tmp_path: Path) -> None:
    stalled = MockEndpoint(service_s=0.005, stall_at=200, stall_s=STALL_S)
    level = at_rate(stalled, tmp_path, 130.0, 3.2)
    assert level.p99_ms is not None
    assert 0.8 * STALL_S < level.p99_ms / 1e3 < 1.5 * STALL_S
    stalled = MockEndpoint(service_s=0.005, stall_at=200, stall_s=STALL_S)
    with served(stalled) as url:
        campaign = replace(settings(url, tmp_path), levels=(4,), exact_levels=True, max_dwell_s=5.0, min_attempts=600)
        (closed,) = run_campaign(campaign, tmp_path / "closed", lambda event: None)
    # Each of the four users waits once, however long it takes; how many requests they send meanwhile differs.
    assert closed.p95_ms is not None
    assert closed.p95_ms / 1e3 < 0.5 * STALL_S


def test_fast_rejections_leave_the_median_of_the_answers_as_it_is(tmp_path: Path) -> None:
    script: tuple[Answer, ...] = ("ok", "busy", "ok", "busy", "ok")
    alone = at_rate(MockEndpoint(service_s=0.1), tmp_path, 60.0, 2.0)
    level = at_rate(MockEndpoint(service_s=0.1, script=lambda number: script[number % 5]), tmp_path, 100.0, 2.0)
    assert level.unserved_share == pytest.approx(0.4, abs=0.05)
    assert level.p50_ms == pytest.approx(alone.p50_ms, rel=0.05)


def test_time_outs_are_unserved_also_when_they_end_after_the_window(tmp_path: Path) -> None:
    script: tuple[Answer, ...] = ("ok", "silent", "ok", "silent", "ok")
    level = at_rate(MockEndpoint(0.005, script=lambda number: script[number % 5]), tmp_path, 60.0, 1.5, timeout_s=2.0)
    assert level.timeout / level.attempts == pytest.approx(0.4, abs=0.05)
    bad, attempts = sum(one.bad for one in level.slices), sum(one.attempts for one in level.slices)
    assert bad / attempts == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("timeout_s", [0.2, 4.0], ids=["within the window", "after the window"])
def test_users_whose_requests_time_out_are_never_held(tmp_path: Path, timeout_s: float) -> None:
    script: tuple[Answer, ...] = ("ok", "silent", "ok", "silent", "ok")
    with served(MockEndpoint(0.005, script=lambda number: script[number % 5])) as url:
        campaign = replace(settings(url, tmp_path), levels=(4,), exact_levels=True, timeout_s=timeout_s)
        (level,) = run_campaign(campaign, tmp_path / "out", lambda event: None)
    assert not (level.counts and level.unserved_share <= campaign.reject_threshold)
    if timeout_s < campaign.min_dwell_s:
        assert level.timeout / level.attempts == pytest.approx(0.4, abs=0.1)


def test_a_request_without_a_connection_makes_the_level_doubted(tmp_path: Path) -> None:
    with served(MockEndpoint(service_s=0.5)) as url:
        campaign = replace(settings(url, tmp_path), max_connections=4)
        level = run_at_rate(campaign, 40.0, 1.0, tmp_path / "out")
    assert level.not_sent > 0
    assert any(f"did not send {level.not_sent} requests in time" in doubt for doubt in level.doubts)


def test_saturation_is_what_users_without_think_time_get(tmp_path: Path) -> None:
    with served(MockEndpoint(service_s=0.05)) as url:
        found = saturation(settings(url, tmp_path), 4, 1.2, tmp_path / "out")
    assert found == pytest.approx(4 / 0.05, rel=0.2)
    assert all(row.at == 4 for row in read_rows(tmp_path / "out" / REQUESTS_FILE))


def test_a_search_whose_time_is_over_begins_no_further_visit(tmp_path: Path) -> None:
    with served(MockEndpoint(service_s=0.005)) as url:
        campaign = replace(settings(url, tmp_path), min_dwell_s=0.5, max_visits=6, max_search_s=0.1)
        assert len(search_rate(campaign, Slo(80, 100.0), 20.0, tmp_path / "out")) == 1


def test_the_search_brackets_the_highest_rate_within_the_objective(tmp_path: Path) -> None:
    # Three at a time for 50 ms each: from 60/s on there are rejections for sure, and Poisson's bursts come sooner.
    with served(MockEndpoint(service_s=0.05, capacity=3)) as url:
        campaign = replace(settings(url, tmp_path), min_dwell_s=1.0, max_visits=6)
        levels = search_rate(campaign, Slo(80, 100.0), 20.0, tmp_path / "out")
    shares = {level.at: (level.late + level.unserved) / level.attempts for level in levels}
    assert 2 <= len(levels) <= 6
    assert min(shares.values()) <= 0.2 < max(shares.values())
    assert max(at for at, share in shares.items() if share <= 0.2) < 60
    assert all(level.late_slices for level in levels)


def test_nothing_is_sent_to_a_wrong_address(tmp_path: Path) -> None:
    campaign = settings("http://127.0.0.1:9", tmp_path)
    with pytest.raises(LoadTestError, match="Nothing listens"):
        run_at_rate(campaign, 10.0, 1.0, tmp_path / "out")
    with pytest.raises(LoadTestError, match="Nothing listens"):
        saturation(campaign, 4, 1.0, tmp_path / "out")


@pytest.mark.parametrize(("rate", "seconds"), [(0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0), (10.0, 0.0)])
def test_a_rate_that_cannot_be_sent_is_refused(tmp_path: Path, rate: float, seconds: float) -> None:
    with pytest.raises(LoadTestError, match="give positive numbers"):
        run_at_rate(settings("http://127.0.0.1:9", tmp_path), rate, seconds, tmp_path / "out")
