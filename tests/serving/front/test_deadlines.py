"""Deadlines that clients state: answered in time, and what comes too late never reaches the engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.handlers.variants import write_code
from tests.serving.faulty import FaultyVariant, ask, asking_in_turn, is_right
from tests.serving.front_server import Front, front, spec, until


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> FaultyVariant:
    return FaultyVariant(tmp_path_factory.mktemp("deadlines") / "faulty")


@pytest.fixture(scope="module", params=[1, 2], ids=["on its event loop", "on a thread"])
def running(request: pytest.FixtureRequest, faulty: FaultyVariant) -> Iterator[Front]:
    """A server whose worker calls its engine in either way that a worker can."""
    with front([faulty.spec], threads_per_stream=request.param) as server:
        yield server


@pytest.fixture
def server(running: Front, faulty: FaultyVariant) -> Front:
    faulty.forget_calls()
    return running


def infer(server: Front, text: str, timeout: object) -> httpx.Response:
    """Ask by the V2 protocol, with its parameter `timeout`, in microseconds."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    return server.http.post("/v2/models/faulty/infer", json={"inputs": [tensor], "parameters": {"timeout": timeout}})


def is_too_late(answer: httpx.Response) -> bool:
    return (answer.status_code, answer.json()["type"]) == (504, "DeadlineExceeded")


@pytest.mark.parametrize("milliseconds", ["0", "50"])
def test_a_deadline_is_kept_while_the_engine_is_busy_and_what_missed_it_is_not_run(
    server: Front, faulty: FaultyVariant, milliseconds: str
) -> None:
    with faulty.busy(server):
        assert is_too_late(ask(server, "w1", X_Request_Timeout_Ms=milliseconds))
        # A later one, so that the engine has been asked all that it will be once this is answered.
        (later,) = asking_in_turn(server, "w2")
    assert is_right(later.result(), "w2")
    assert faulty.calls == [["wait"], ["w2"]]
    assert server.metric("in_flight_requests") == 0


def test_a_deadline_passes_while_the_engine_runs_the_request_itself(server: Front, faulty: FaultyVariant) -> None:
    with faulty.held():
        assert is_too_late(ask(server, "wait w1", X_Request_Timeout_Ms="500"))
    assert is_right(ask(server, "w2"), "w2")
    assert faulty.seen in (["wait w1", "w2"], ["w2"])  # the latter where half a second was not enough to reach it


def test_a_timeout_of_v2_is_told_once_the_engine_is_free_and_the_request_not_run(
    server: Front, faulty: FaultyVariant
) -> None:
    with faulty.busy(server):
        late = server.threads.submit(infer, server, "w1", 1)
        until(lambda: server.metric("in_flight_requests") == 2)
        (later,) = asking_in_turn(server, "w2")
    assert is_too_late(late.result())
    assert is_right(later.result(), "w2")
    assert "w1" not in faulty.seen


@pytest.mark.parametrize("milliseconds", ["60000", "9" * 18])
def test_a_deadline_that_is_far_changes_nothing(server: Front, milliseconds: str) -> None:
    assert is_right(ask(server, "w1", X_Request_Timeout_Ms=milliseconds), "w1")


@pytest.mark.parametrize("timeout", [0, 60_000_000, 2**63 - 1])
def test_a_timeout_of_v2_that_is_far_or_none_changes_nothing(server: Front, timeout: int) -> None:
    assert infer(server, "w1", timeout).status_code == 200


@pytest.mark.parametrize("timeout", [-1, "5"])
def test_a_timeout_of_v2_that_is_no_number_of_microseconds_is_refused(
    server: Front, faulty: FaultyVariant, timeout: Any
) -> None:
    refused = infer(server, "w1", timeout)
    assert refused.status_code == 400
    assert 'The parameter "timeout" must be a whole number of microseconds' in refused.json()["error"]
    assert faulty.seen == []


@pytest.mark.parametrize("milliseconds", ["soon", "-1", "1.5", "", "9" * 19, "9" * 5000], ids=len)
def test_a_deadline_that_is_no_number_of_milliseconds_is_refused(
    server: Front, faulty: FaultyVariant, milliseconds: str
) -> None:
    refused = ask(server, "w1", X_Request_Timeout_Ms=milliseconds)
    assert refused.status_code == 400
    assert "X-Request-Timeout-Ms must be a whole number" in refused.json()["error"]
    assert faulty.seen == []


def test_a_request_is_answered_by_the_servers_own_deadline_whatever_keeps_it(
    faulty: FaultyVariant,
) -> None:
    with front([faulty.spec], execution_deadline_s=0.5) as server:
        with faulty.held():
            assert is_too_late(ask(server, "wait w1"))
            assert is_too_late(ask(server, "wait w1", X_Request_Timeout_Ms="60000"))
        assert is_right(ask(server, "w2"), "w2")
        assert server.metric("in_flight_requests") == 0


SLEEPER = """
import threading

def model_fn(folder):
    return 1

def predict_fn(data, model):
    if data == "sleep":
        threading.Event().wait()
    return data
"""


def test_their_code_that_never_returns_is_answered_for_and_its_worker_ended(tmp_path: Path) -> None:
    folder = write_code(tmp_path / "sleeper", SLEEPER)
    with front([spec(folder, "python")], execution_deadline_s=0.5, hang_timeout_s=3.0) as server:
        (pid,) = server.worker_pids()
        assert is_too_late(server.http.post("/invocations", json="sleep"))
        until(lambda: server.worker_pids() != [pid] and server.is_ready())
        assert server.http.post("/invocations", json="good").json() == "good"
