"""A campaign on Locust's master and two workers of it, in processes of their own."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import psutil
import pytest

from loadtest.campaign import REQUESTS_FILE, run_campaign
from loadtest.generator.events import CampaignEvent, LevelTicked
from loadtest.plan.arrivals import Arrivals
from loadtest.results.errors import LoadTestError
from loadtest.results.request_log import read_rows
from tests.loadtest.mock_server import MockEndpoint, served
from tests.loadtest.test_locustfile import free_port
from tests.loadtest.test_rates import BODIES, settings


@pytest.mark.timeout(120)
def test_two_workers_share_the_users_and_their_rows_come_together(tmp_path: Path) -> None:
    endpoint = MockEndpoint(service_s=0.02)
    with served(endpoint) as url:
        campaign = replace(settings(url, tmp_path), levels=(2, 5), exact_levels=True, think_time_s=0.05)
        campaign = replace(campaign, workers=2, master_port=free_port())
        levels = run_campaign(campaign, tmp_path / "out", lambda event: None)
    assert [level.users for level in levels] == [2, 5]
    assert all(level.attempts == level.ok > 0 for level in levels)
    assert len(endpoint.ports) == 5 + 1
    assert all(level.little_error < 0.15 for level in levels)
    rows = [logged for logged in read_rows(tmp_path / "out" / REQUESTS_FILE) if logged.at == 5]
    done_s = [logged.request.t_done_s for logged in rows]
    assert done_s == sorted(done_s)
    sent = {user: [r.request.body for r in rows if r.request.user == user] for user in {r.request.user for r in rows}}
    assert len(sent) == 5
    planned = [list(islice(Arrivals("closed", 5).bodies(len(BODIES), rank), 10)) for rank in range(5)]
    # Each place among the users is taken once, whichever worker has it: the last bodies are ten in its order.
    orders = {tuple(order[turn:] + order[:turn]) for order in planned for turn in range(10)}
    assert all(tuple(bodies[-10:]) in orders for bodies in sent.values())
    assert not [child for child in psutil.Process().children() if "locust" in " ".join(child.cmdline())]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_worker_that_dies_ends_the_campaign_with_a_reason(tmp_path: Path) -> None:
    def kill_a_worker(event: CampaignEvent) -> None:
        if isinstance(event, LevelTicked):
            workers = [child for child in psutil.Process().children() if "--worker" in child.cmdline()]
            if len(workers) == 2:
                workers[0].kill()
                workers[0].wait(10)

    with served(MockEndpoint(service_s=0.02)) as url:
        campaign = replace(settings(url, tmp_path), levels=(2,), exact_levels=True, workers=2, timeout_s=1.0)
        with pytest.raises(LoadTestError, match="1 of 2 workers do not answer"):
            run_campaign(replace(campaign, master_port=free_port()), tmp_path / "out", kill_a_worker)
    assert not [child for child in psutil.Process().children() if "locust" in " ".join(child.cmdline())]
