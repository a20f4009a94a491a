"""`Server-Timing`, which the server writes and the load test reads: two rooms that import nothing of each other."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from loadtest.results.phases import STATED, WORKER_PHASES, phases_of
from loadtest.results.records import parse_server_timing
from serving.front.openapi import INFER, INVOCATIONS, Operation, document
from serving.front.server_timing import MEANINGS
from serving.front.settings import Settings
from tests.conftest import BuiltOnce
from tests.handlers.variants import build_dense
from tests.serving.front_server import ROOT, Front, front, spec

HEADER = "server-timing"

# Each phase is rounded to a thousandth.
ROUNDING_MS = 0.0005 * (len(STATED) + 1)


@pytest.fixture(scope="module")
def server(built_once: BuiltOnce) -> Iterator[Front]:
    # A request of some texts has several calls of the engine, on two streams.
    with front([spec(built_once("dense", build_dense))], streams=2, batch_tokens=32) as served:
        yield served


def stated(answer: httpx.Response) -> dict[str, float]:
    assert answer.status_code == 200
    return parse_server_timing(answer.headers[HEADER])


def assert_adds_up(timing: dict[str, float]) -> None:
    assert tuple(timing) == STATED
    assert min(timing.values()) >= 0 < timing["infer"]
    assert sum(timing[name] for name in WORKER_PHASES) == pytest.approx(timing["worker"], abs=ROUNDING_MS)
    assert timing["worker"] <= timing["total"]


def test_the_server_states_all_phases_that_the_load_test_knows() -> None:
    assert tuple(MEANINGS) == STATED


def test_phases_of_one_text_and_of_many_add_up_by_both_protocols(server: Front) -> None:
    tensor = {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["good", "bad"]}
    answers = [
        server.ask("good"),
        server.ask(["a good film"] * 100),
        server.ask(["good"] * 3 + ["bad " * 10_000]),  # over what is decoded at once
        server.http.post("/v2/models/dense/infer", json={"inputs": [tensor]}),
    ]
    for answer in answers:
        assert_adds_up(stated(answer))


def test_phases_of_requests_that_share_calls_add_up(server: Front) -> None:
    with ThreadPoolExecutor(8) as threads:
        for answer in threads.map(lambda number: server.ask(["good"] * (1 + number % 20)), range(80)):
            assert_adds_up(stated(answer))


def test_the_load_test_finds_a_place_for_all_of_the_time(server: Front) -> None:
    answer = server.ask("good")
    timing, response_ms = stated(answer), answer.elapsed.total_seconds() * 1e3
    phases = phases_of(response_ms, timing)
    assert sum(phases.values()) == pytest.approx(response_ms)
    assert abs(phases["unattributed"]) <= ROUNDING_MS
    assert phases["transport"] > 0 < phases["wire"]


def test_the_server_counts_from_the_last_byte_of_a_request(server: Front) -> None:
    """A client that is slow to send its body is no slow server."""
    body = json.dumps({"inputs": "good"}).encode()
    head = f"POST /invocations HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    with socket.create_connection(server.address) as client:
        client.sendall(head.encode() + body[:-1])
        others = [server.ask("good") for _ in range(5)]
        complete = time.perf_counter()
        client.sendall(body[-1:])
        answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    (line,) = [line for line in answer.splitlines() if line.startswith(HEADER)]
    waited_ms = (time.perf_counter() - complete) * 1e3
    assert all(one.status_code == 200 for one in others)
    assert parse_server_timing(line.removeprefix(f"{HEADER}: "))["total"] <= waited_ms


@pytest.mark.parametrize("operation", [INVOCATIONS, INFER], ids=["invocations", "v2"])
def test_the_description_of_the_interface_names_all_of_them(operation: Operation) -> None:
    described = document(Settings(), "dense")["paths"][operation.path][operation.method]
    told = described["responses"]["200"]["headers"]["Server-Timing"]["description"]
    assert [name for name in STATED if f"{name}: " in told] == list(STATED)


def test_the_page_on_serving_says_what_each_of_them_is() -> None:
    page = (ROOT / "docs" / "serve.md").read_text()
    assert [name for name in STATED if f"| `{name}` |" in page] == list(STATED)
