"""A campaign on Locust's master and two workers of it, in processes of their own."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from loadtest.statistics.gates import most_little_error
from tests.loadtest.mock_server import MockEndpoint, served
from tests.loadtest.test_locustfile import LOCUSTFILE, free_port
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
    # The windows are short, and few users scatter: rows that were lost on the way would show all the same.
    assert all(level.little_error < 2 * most_little_error(level) for level in levels)
    log, probe = read_rows(tmp_path / "out" / REQUESTS_FILE), 1
    assert len(log) <= len(endpoint.bodies) - probe <= len(log) + 10 * 5
    rows = [logged for logged in log if logged.at == 5]
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


DELAY_S = 0.02


@pytest.mark.timeout(120)
def test_a_worker_that_is_far_away_is_refused_as_its_clock_cannot_be_known(tmp_path: Path) -> None:
    with served(MockEndpoint()) as url, far_away(port := free_port()) as entrance, worker_at(entrance):
        campaign = replace(settings(url, tmp_path), levels=(2,), exact_levels=True, expect_workers=1, master_port=port)
        with pytest.raises(LoadTestError, match=r"The clock of a worker is known to \d+\.\d ms only"):
            run_campaign(campaign, tmp_path / "out", lambda event: None)


@contextmanager
def worker_at(port: int) -> Iterator[None]:
    """One as people start it on another machine."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--worker", "--master-port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


@contextmanager
def far_away(port: int) -> Iterator[int]:
    """A port that leads to another one, with `DELAY_S` on the way there and on the way back."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as entrance, ThreadPoolExecutor(1) as threads:
        carried = threads.submit(asyncio.run, _carry_all(entrance, port, ended))
        try:
            yield entrance.getsockname()[1]
        finally:
            ended.set()
            carried.result()


async def _carry_all(entrance: socket.socket, port: int, ended: threading.Event) -> None:
    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await _connected(port)
        await asyncio.gather(_carry(reader, back), _carry(there, writer), return_exceptions=True)

    async with await asyncio.start_server(connect, sock=entrance):
        await asyncio.to_thread(ended.wait)


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(2**16):
            asyncio.get_running_loop().call_later(DELAY_S, target.write, data)
    finally:
        target.close()


async def _connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The master listens some time after its worker asks."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
