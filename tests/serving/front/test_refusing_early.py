"""What is refused before it is read: by the bytes that are held already, and by a variant that is full."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from model_store.errors import ParetoServeError
from serving.front.server import serve
from serving.front.settings import Settings
from tests.serving.front_server import Front, GatedModel, front, until
from tests.serving.raw_http import CHUNKED, RawClient, chunk, connected, many_connected, post

MIB = 2**20
BODY_LIMIT = 6 * MIB
ASKED = b'{"inputs": "a film"}'

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def model(tmp_path: Path) -> GatedModel:
    folder = tmp_path / "gated"
    folder.mkdir()
    return GatedModel(folder)


# Bytes in flight


@pytest.fixture
def server(model: GatedModel) -> Iterator[Front]:
    with front([model.spec], max_bytes_in_flight=4 * BODY_LIMIT) as running:
        yield running


def is_over_the_budget(client: RawClient) -> bool:
    answer = client.answer()
    assert (answer.status, answer.headers["retry-after"], answer.json()["type"]) == (429, "1", "Overloaded")
    assert "bytes in flight" in answer.json()["error"]
    return answer.headers["connection"] == "close" and client.is_closed()


def test_what_is_announced_is_refused_unread_where_it_does_not_fit(server: Front) -> None:
    refused = server.metric("rejected_total", reason="bytes in flight")
    with many_connected(server.address, 4) as senders:
        for one in senders:
            one.send(post(b"x" * 1000, length=BODY_LIMIT))
            until_held(server, one)
        with connected(server.address) as late:
            late.send(post(b"", length=BODY_LIMIT))
            assert is_over_the_budget(late)
        with connected(server.address) as another:  # by its headers alone, since one was refused just now
            another.send(post(b"", length=BODY_LIMIT))
            assert is_over_the_budget(another)
        assert server.metric("rejected_total", reason="bytes in flight") == refused + 2
        assert server.metric("requests_total", code="429") == 2
    # They left, and so there is room.
    until(lambda: server.ask("x" * 5_000_000).status_code == 200)


def until_held(server: Front, client: RawClient) -> None:
    """Until the front has read what the client has sent so far: a request after it was answered."""
    assert server.is_ready()


def test_chunks_are_refused_when_they_outgrow_what_is_left(server: Front) -> None:
    with many_connected(server.address, 3) as senders, connected(server.address) as growing:
        for one in senders:
            one.send(post(b"x" * 1000, length=BODY_LIMIT))
            until_held(server, one)
        growing.send(CHUNKED + chunk(b"x" * (BODY_LIMIT // 2)))
        until_held(server, growing)
        with connected(server.address) as another:
            another.send(CHUNKED + chunk(b"x" * (BODY_LIMIT // 2)) + chunk(b"x"))
            assert is_over_the_budget(another)
        # What it had held is free again.
        growing.send(chunk(b"x" * (BODY_LIMIT // 2)) + b"0\r\n\r\n")
        assert growing.answer().status == 400


def test_what_waits_for_its_answer_is_held_until_it_has_it(server: Front, model: GatedModel) -> None:
    padding = b" " * (BODY_LIMIT - 100)
    with many_connected(server.address, 4) as clients:
        first, *others = clients
        first.send(post(b'{"inputs": "wait"%s}' % padding))
        with model.held():  # the model has the first of them: none can be answered before the others are there
            for one in others:
                one.send(post(b'{"inputs": "one"%s}' % padding))
            until(lambda: server.metric("in_flight_requests") == 4)
            with connected(server.address) as late:
                late.send(post(b"", length=BODY_LIMIT))
                assert is_over_the_budget(late)
        assert [one.answer().status for one in clients] == [200] * 4
    assert server.ask("one").status_code == 200


def test_four_hundred_slow_senders_of_six_mib_take_the_budget_and_what_connections_take(server: Front) -> None:
    process = psutil.Process(server.process.pid)
    with many_connected(server.address, 400) as senders:
        for one in senders:
            one.send(post(b"", length=BODY_LIMIT)[:20])
        assert server.is_ready()
        before = process.memory_info().rss
        for one in senders:
            one.send(post(b"x" * 10, length=BODY_LIMIT)[20:])
        for one in senders:
            one.socket.setblocking(False)
        most = before
        left = dict.fromkeys(senders, BODY_LIMIT - 11)
        while left:
            for one in list(left):
                try:
                    sent = one.socket.send(b"x" * min(left[one], 64 * 1024))
                except BlockingIOError:
                    continue
                except OSError:  # it was refused, and has had its answer
                    sent = left[one]
                left[one] -= sent
                if not left[one]:
                    del left[one]
            most = max(most, process.memory_info().rss)
        refused = server.metric("rejected_total", reason="bytes in flight")
    assert refused == 396
    # A connection itself takes some 32 KiB, and for a moment what one read of it brings.
    assert most - before < 4 * BODY_LIMIT + 400 * MIB // 8


def test_a_budget_below_the_largest_body_is_refused_at_the_start(model: GatedModel) -> None:
    settings = Settings(max_bytes_in_flight=BODY_LIMIT - 1)
    with pytest.raises(ParetoServeError, match=r"--max-bytes-in-flight \d+ leaves no room for a body of --max-body"):
        serve([model.spec], settings, lambda url, plans: None)


def test_more_connections_than_files_are_allowed_is_refused_at_the_start(model: GatedModel) -> None:
    with pytest.raises(ParetoServeError, match=r"--max-connections \d+ needs \d+ open files, of which \d+ are allowed"):
        serve([model.spec], Settings(max_connections=2**40), lambda url, plans: None)


# A full variant


@pytest.fixture
def one_place(model: GatedModel) -> Iterator[Front]:
    with front([model.spec], max_queue=1) as running:
        yield running


def is_full(client: RawClient) -> bool:
    answer = client.answer()
    assert answer.json()["error"].startswith("The server is full (queue full); try again in ")
    assert int(answer.headers["retry-after"]) >= 1
    return answer.status == 429


@pytest.mark.parametrize("path", ["/invocations", "/v2/models/gated/infer", "/v2/models/gated/versions/1/infer"])
def test_a_request_for_a_full_variant_is_refused_by_its_headers(one_place: Front, model: GatedModel, path: str) -> None:
    waiting = one_place.asking("wait")
    with model.held():
        # The first refusal is that of the gate, from which on requests are looked at before they are read.
        assert one_place.ask("one").status_code == 429
        with connected(one_place.address) as client:
            path = path.replace("gated", model.spec.name)
            # Nothing of the body is there yet; it is thrown away, and the connection kept.
            client.send(post(b"", "X-Request-Id: mine", path=path, length=len(ASKED)))
            answer = client.answer()
            assert answer.status == 429
            assert answer.headers["x-request-id"] == "mine"
            assert "connection" not in answer.headers
            client.send(ASKED)
            client.send(post(ASKED, path=path))
            assert is_full(client)
            client.send(post(ASKED, path=path) * 3)
            assert all(is_full(client) for _ in range(3))
        assert one_place.metric("rejected_total", reason="queue full") == 6
        assert one_place.metric("requests_total", code="429") == 6
    assert waiting.result().status_code == 200
    with connected(one_place.address) as client:
        assert client.ask(post(ASKED)).status == 200


@pytest.mark.parametrize(
    "request_",
    [post(b"", length=100_000), post(ASKED, "Connection: close"), CHUNKED, post(b"", "Expect: 100-continue", length=9)],
)
def test_a_refused_request_whose_body_is_not_read_ends_its_connection(
    one_place: Front, model: GatedModel, request_: bytes
) -> None:
    waiting = one_place.asking("wait")
    with model.held():
        assert one_place.ask("one").status_code == 429
        with connected(one_place.address) as client:
            answer = client.ask(request_)
            assert (answer.status, answer.headers["connection"]) == (429, "close")
            assert client.is_closed()
    assert waiting.result().status_code == 200
