"""Real Locust in its own process against a real server with a known service time and gate."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import psutil
import pytest

from loadtest.campaign import REQUESTS_FILE, run_campaign
from loadtest.generator.events import CampaignEvent, LevelDone, LevelStarted, LevelTicked
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign
from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult
from loadtest.results.request_log import LoggedRow, read_rows
from loadtest.statistics.gates import MOST_LITTLE_ERROR
from loadtest.statistics.levels import little_error
from tests.loadtest.mock_server import Answer, MockEndpoint, served

SERVICE_MS = 20.0
CAPACITY = 3
BODIES = tuple(f'{{"inputs": "sentence {place}"}}'.encode() for place in range(10))


def _brief(url: str, folder: Path) -> Campaign:
    bodies = folder / "bodies.jsonl"
    bodies.write_bytes(b"\n".join(BODIES))
    return Campaign(
        url,
        bodies,
        headers={"X-Amzn-SageMaker-Target-Variant": "int8"},
        levels=(1, 8, 64, 2),
        exact_levels=True,
        think_time_s=0.05,
        settle_s=0.2,
        min_dwell_s=1.5,
        max_dwell_s=2.5,
        min_attempts=20,
    )


@dataclass(frozen=True, slots=True)
class Run:
    endpoint: MockEndpoint
    campaign: Campaign
    levels: tuple[LevelResult, ...]
    events: list[CampaignEvent]
    rows: tuple[LoggedRow, ...]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("campaign")
    endpoint = MockEndpoint(SERVICE_MS / 1e3, CAPACITY)
    events: list[CampaignEvent] = []
    with served(endpoint) as url:
        campaign = _brief(url, folder)
        levels = run_campaign(campaign, folder / "out", events.append)
    return Run(endpoint, campaign, levels, events, read_rows(folder / "out" / REQUESTS_FILE))


def test_levels_are_visited_until_more_than_half_is_rejected(run: Run) -> None:
    assert [level.users for level in run.levels] == [1, 8, 64]
    assert [level.unserved_share > 0.5 for level in run.levels] == [False, False, True]


def test_single_user_waits_the_service_time_and_is_never_rejected(run: Run) -> None:
    alone = run.levels[0]
    assert alone.rejected == alone.failed == alone.timeout == 0
    assert alone.p50_ms is not None
    assert alone.p50_ms >= SERVICE_MS - 1
    stated = [alone.phases_ms[name] for name in ("queue", "tokenize", "infer")]
    assert stated == pytest.approx([0.5, 0.25, SERVICE_MS])


def test_gate_rejects_and_rejections_are_no_response_times(run: Run) -> None:
    crowded = run.levels[1]
    assert crowded.rejected > 0
    assert crowded.failed == 0
    answered = [r.request.response_ms for r in run.rows if r.at == 8 and r.measured and r.request.outcome == "ok"]
    assert len(answered) == crowded.ok
    assert min(answered) >= SERVICE_MS - 1  # the event loop's timers count whole milliseconds


def test_throughput_stays_under_what_the_gate_lets_through(run: Run) -> None:
    assert max(level.ok_per_s for level in run.levels) <= CAPACITY / (SERVICE_MS / 1e3) * 1.05


def test_littles_law_holds_and_lost_records_break_it(run: Run) -> None:
    level = run.levels[1]
    rows = [r.request for r in run.rows if r.measured and r.at == 8]
    assert little_error(8, level.duration_s, rows) == pytest.approx(level.little_error, abs=1e-4)
    # The window is short: at its two ends as many as eight cycles are cut.
    assert level.little_error < 2 * MOST_LITTLE_ERROR
    assert little_error(8, level.duration_s, rows[: len(rows) * 7 // 10]) > 2 * MOST_LITTLE_ERROR


def test_every_request_of_the_endpoint_is_in_the_log_or_was_on_its_way_at_the_end(run: Run) -> None:
    probe = 1
    last_users = run.levels[-1].users
    sent = len(run.endpoint.bodies) - probe
    assert len(run.rows) <= sent <= len(run.rows) + 10 * last_users
    assert {r.visit for r in run.rows} == {0, 1, 2}
    measured = [sum(r.measured for r in run.rows if r.visit == place) for place in range(3)]
    assert measured == [level.attempts for level in run.levels]


def test_each_user_keeps_one_connection(run: Run) -> None:
    users = {r.request.user for r in run.rows}
    assert users == set(range(64))
    # The probe's connection is closed by then, and its port may be that of a user's.
    assert len(run.endpoint.ports) - len(users) in (0, 1)


def test_bodies_and_headers_arrive_as_given(run: Run) -> None:
    assert set(run.endpoint.bodies) == set(BODIES)
    assert run.endpoint.variants == {"int8"}


def test_pauses_and_bodies_of_a_level_are_those_of_its_seed_whatever_the_server_does(run: Run) -> None:
    # A user draws afresh with the first answer after all users are there; a pause that was on goes on.
    rows = sorted((r for r in run.rows if r.at == 8), key=lambda r: r.request.t_due_s)
    arrivals = Arrivals("closed", 8, run.campaign.think_time_s)
    for rank, user in enumerate(range(8)):
        sent = [(r.request.think_s, r.request.body) for r in rows if r.request.user == user]
        planned = list(
            zip(arrivals.pauses_s(rank), islice(arrivals.bodies(len(BODIES), rank), len(sent)), strict=False)
        )
        begin = next(place for place, one in enumerate(sent) if one == pytest.approx(planned[0], abs=1e-6))
        assert sent[begin:] == [pytest.approx(one, abs=1e-6) for one in planned[: len(sent) - begin]]
        assert begin < len(sent) - 10


def test_think_times_are_exponential_with_the_mean_asked_for(run: Run) -> None:
    first = {r.request.user: r.request for r in reversed(run.rows)}
    pauses_s = [r.request.think_s for r in run.rows if r.request is not first[r.request.user]]
    mean_s = sum(pauses_s) / len(pauses_s)
    assert mean_s == pytest.approx(run.campaign.think_time_s, rel=0.2)
    assert max(pauses_s) > 2 * run.campaign.think_time_s
    assert max(row.think_s for row in first.values()) <= run.campaign.think_time_s


def test_caller_hears_of_start_progress_and_end_of_each_level(run: Run) -> None:
    started = [event for event in run.events if isinstance(event, LevelStarted)]
    assert [(event.index, event.users, event.planned) for event in started] == [(0, 1, 4), (1, 8, 4), (2, 64, 4)]
    assert tuple(event.result for event in run.events if isinstance(event, LevelDone)) == run.levels
    ticks = [event for event in run.events if isinstance(event, LevelTicked) and event.users == 64]
    assert ticks[-1].attempts > 0
    assert ticks[-1].unserved_share > 0.5


@pytest.fixture
def healthy(tmp_path: Path) -> Iterator[Campaign]:
    with served(MockEndpoint()) as url:
        yield _brief(url, tmp_path)


def test_a_search_whose_time_is_over_begins_no_further_visit(healthy: Campaign, tmp_path: Path) -> None:
    campaign = replace(healthy, levels=(1, 2), exact_levels=False, max_search_s=0.1)
    assert [level.users for level in run_campaign(campaign, tmp_path, lambda event: None)] == [1]


def test_every_kind_of_answer_gets_its_outcome(tmp_path: Path) -> None:
    kinds: tuple[Answer, ...] = ("ok", "broken", "busy", "ok", "silent")
    endpoint = MockEndpoint(service_s=0.0, script=lambda number: kinds[number % len(kinds)])
    with served(endpoint) as url:
        brief = replace(_brief(url, tmp_path), levels=(4,), timeout_s=0.2)
        (level,) = run_campaign(brief, tmp_path / "out", lambda event: None)
    assert min(level.ok, level.failed, level.rejected, level.timeout) > 0
    statuses = {(r.request.outcome, r.request.status) for r in read_rows(tmp_path / "out" / REQUESTS_FILE)}
    assert statuses == {("ok", 200), ("failed", 404), ("rejected", 503), ("timeout", 0)}


def test_exception_in_the_caller_ends_the_generator(healthy: Campaign, tmp_path: Path) -> None:
    def interrupt(event: CampaignEvent) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_campaign(healthy, tmp_path / "out", interrupt)
    assert not [child for child in psutil.Process().children() if "locust" in " ".join(child.cmdline())]


def test_generator_that_dies_is_quoted(healthy: Campaign, tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match=r"(?s)exit code 1.*Invalid argument"):
        run_campaign(replace(healthy, client_cpus=(4095,)), tmp_path / "out", lambda event: None)


def test_campaign_against_nothing_starts_no_generator(tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="Nothing listens"):
        run_campaign(_brief("http://127.0.0.1:9", tmp_path), tmp_path / "out", lambda event: None)
    assert not (tmp_path / "out").exists()


def test_importing_the_package_leaves_sockets_and_threads_alone() -> None:
    # Locust patches the standard library at import; only the generator's process may do so.
    modules = "campaign", "report.page", "statistics.search"
    code = f"import {', '.join(f'loadtest.{name}' for name in modules)}, sys; print('gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout == b"False\n"
