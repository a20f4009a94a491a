"""Plain Locust, as those who know it start it: its options, its page, and no campaign."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.generator.events import LevelDone, decode_event
from loadtest.plan.settings import encode_campaign
from loadtest.results.request_log import read_rows
from tests.loadtest.mock_server import MockEndpoint, served
from tests.loadtest.test_rates import settings

LOCUSTFILE = Path(__file__).parents[2] / "loadtest" / "locustfile.py"


@contextmanager
def locust(url: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--host", url, *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.timeout(60)
def test_headless_users_send_embedded_sentences_for_the_time_given() -> None:
    endpoint = MockEndpoint()
    with (
        served(endpoint) as url,
        locust(url, "--headless", "-u", "3", "-r", "3", "-t", "2s", "--think-time", "0.05", "--json") as process,
    ):
        output, log = process.communicate(timeout=40)
    assert process.returncode == 0, log
    (stats,) = json.loads(output)
    assert stats["num_requests"] == pytest.approx(len(endpoint.bodies), abs=3)
    assert stats["num_failures"] == 0
    assert len(endpoint.ports) == 3
    assert len(set(endpoint.bodies)) == 4
    assert all(isinstance(json.loads(body)["inputs"], str) for body in endpoint.bodies)


@pytest.mark.timeout(60)
def test_bodies_come_from_a_file_where_one_is_given(tmp_path: Path) -> None:
    (tmp_path / "bodies.jsonl").write_bytes(b'{"inputs": "mine"}\n')
    endpoint = MockEndpoint()
    options = ("--headless", "-u", "1", "-t", "1s", "--think-time", "0.05", "--bodies", str(tmp_path / "bodies.jsonl"))
    with served(endpoint) as url, locust(url, *options) as process:
        process.communicate(timeout=40)
    assert set(endpoint.bodies) == {b'{"inputs": "mine"}'}


@pytest.mark.timeout(60)
def test_a_campaign_climbs_its_levels_and_tells_of_them_on_standard_output(tmp_path: Path) -> None:
    endpoint = MockEndpoint()
    with served(endpoint) as url:
        campaign = replace(settings(url, tmp_path), levels=(2,), exact_levels=True)
        (tmp_path / "campaign.json").write_bytes(encode_campaign(campaign))
        files = ("--campaign", str(tmp_path / "campaign.json"), "--requests-out", str(tmp_path / "requests.csv.gz"))
        with locust(url, "--headless", "--only-summary", *files) as process:
            output, log = process.communicate(timeout=50)
    assert process.returncode == 0, log
    events = [decode_event(line.encode()) for line in output.splitlines() if line.startswith("{")]
    assert isinstance(events[-1], LevelDone)
    assert events[-1].result.at == 2
    assert sum(row.measured for row in read_rows(tmp_path / "requests.csv.gz")) == events[-1].result.attempts


def test_a_missing_file_of_bodies_is_named() -> None:
    with locust("http://127.0.0.1:9", "--headless", "-t", "1s", "--bodies", "none.jsonl") as process:
        _, log = process.communicate(timeout=40)
    assert process.returncode == 1
    assert log.strip().endswith("Cannot read the request bodies in 'none.jsonl' (No such file or directory).")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _asked(url: str, deadline_s: float = 30.0) -> bytes:
    """The page, as soon as somebody listens."""
    until_s = time.monotonic() + deadline_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
                content: bytes = answer.read()
                return content
        except OSError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.1)


@pytest.mark.timeout(90)
def test_the_web_page_starts_users_and_counts_their_requests() -> None:
    port = free_port()
    endpoint, page = MockEndpoint(), f"http://127.0.0.1:{port}"
    with served(endpoint) as url, locust(url, "--web-port", str(port), "--think-time", "0.05"):
        assert b"<title>Locust</title>" in _asked(f"{page}/")
        form = b"user_count=2&spawn_rate=2&host=" + url.encode()
        with urllib.request.urlopen(f"{page}/swarm", form, timeout=10) as answer:  # noqa: S310
            assert json.loads(answer.read())["success"]
        until_s = time.monotonic() + 30
        while not (stats := json.loads(_asked(f"{page}/stats/requests")))["total_rps"]:
            assert time.monotonic() < until_s
            time.sleep(0.2)
        assert stats["user_count"] == 2
        assert "invoke" in {one["name"] for one in stats["stats"]}
    assert endpoint.bodies
