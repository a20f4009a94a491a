"""Many clients at once: each gets its own answer or is refused at once, and those that leave take nobody along."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.faulty import AS_LOGITS, FaultyVariant, ask, asking_in_turn, is_right
from tests.serving.front_server import Front, front, until

MAX_QUEUE = 12


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> FaultyVariant:
    return FaultyVariant(tmp_path_factory.mktemp("load") / "faulty")


@pytest.fixture(scope="module", params=[1, 2], ids=["on its event loop", "on a thread"])
def running(request: pytest.FixtureRequest, faulty: FaultyVariant) -> Iterator[Front]:
    """A server whose worker calls its engine in either way that a worker can."""
    with front([faulty.spec], threads_per_stream=request.param, max_queue=MAX_QUEUE) as server:
        yield server


@pytest.fixture
def server(running: Front, faulty: FaultyVariant) -> Front:
    faulty.forget_calls()
    return running


def test_of_five_times_as_many_requests_as_there_is_room_for_all_others_are_refused_while_the_engine_is_busy(
    server: Front, faulty: FaultyVariant
) -> None:
    refused_before = server.metric("rejected_total", reason="queue full")
    with ThreadPoolExecutor(5 * MAX_QUEUE) as clients:
        with faulty.busy(server):
            answers = [clients.submit(ask, server, "w1") for _ in range(5 * MAX_QUEUE)]
            until(lambda: sum(answer.done() for answer in answers) == 4 * MAX_QUEUE + 1)
            refused = [answer.result() for answer in answers if answer.done()]
            assert server.metric("in_flight_requests") == MAX_QUEUE
            assert server.metric("rejected_total", reason="queue full") - refused_before == len(refused)
        assert sum(is_right(answer.result(), "w1") for answer in answers) == MAX_QUEUE - 1
    assert {(answer.status_code, answer.json()["type"]) for answer in refused} == {(429, "Overloaded")}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert len(faulty.seen) == MAX_QUEUE
    assert is_right(ask(server, "w2"), "w2")


def test_two_hundred_texts_at_once_through_two_streams_get_each_their_own_answer(tmp_path: Path) -> None:
    faulty = FaultyVariant(tmp_path / "faulty")
    texts = [f"w{i} w{255 - i}" + " w7" * (i % 20) for i in range(200)]
    with ThreadPoolExecutor(len(texts)) as clients, front([faulty.spec], streams=2) as server:
        with faulty.busy(server, calls=2):
            answers = [clients.submit(ask, server, text) for text in texts]
            until(lambda: server.metric("in_flight_requests") == 2 + len(texts))
        assert all(is_right(answer.result(), text) for answer, text in zip(answers, texts, strict=True))
        assert sorted(faulty.seen) == sorted(["wait", "wait", *texts])
        assert len(faulty.calls) < len(texts)


@contextmanager
def leaving_client(server: Front, text: str) -> Iterator[None]:
    """A client that is there from before the block, its request admitted, to its end."""
    body = json.dumps({"inputs": text, "parameters": AS_LOGITS}).encode()
    in_flight = server.metric("in_flight_requests")
    with socket.create_connection(server.address) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        until(lambda: server.metric("in_flight_requests") == in_flight + 1)
        yield


@pytest.mark.parametrize("position", range(4))
def test_a_client_that_leaves_is_not_asked_for_and_the_other_three_are_answered(
    server: Front, faulty: FaultyVariant, position: int
) -> None:
    texts = ["w1", "w2", "w3"]
    left_before = server.metric("requests_total", code="499")
    with faulty.busy(server):
        answers = asking_in_turn(server, *texts[:position])
        with leaving_client(server, "w4"):
            answers += asking_in_turn(server, *texts[position:])
        until(lambda: server.metric("in_flight_requests") == 4)
    assert all(is_right(answer.result(), text) for answer, text in zip(answers, texts, strict=True))
    assert faulty.calls == [["wait"], texts]
    assert server.metric("requests_total", code="499") == left_before + 1
    assert server.metric("in_flight_requests") == 0
