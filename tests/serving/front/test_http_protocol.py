"""What a client may make the server keep or wait for: raw bytes against a real front."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.front_server import Front, GatedModel, front, until
from tests.serving.raw_http import CHUNKED, RawClient, chunk, connected, get, many_connected, post

ASKED = b'{"inputs": "a film"}'
BODY_LIMIT = 6 * 2**20

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> GatedModel:
    return GatedModel(tmp_path_factory.mktemp("gated"))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(scope="module")
def server(model: GatedModel, log: Path) -> Iterator[Front]:
    with front([model.spec], log=log) as running:
        yield running


@pytest.fixture
def client(server: Front) -> Iterator[RawClient]:
    with connected(server.address) as one:
        yield one


@pytest.fixture(scope="module")
def impatient(model: GatedModel) -> Iterator[Front]:
    with front([model.spec], header_timeout_s=0.2, body_timeout_s=0.2) as running:
        yield running


@pytest.fixture
def hurried(impatient: Front) -> Iterator[RawClient]:
    """A client of a server that waits for nothing."""
    with connected(impatient.address) as one:
        yield one


def is_last(client: RawClient, status: int) -> bool:
    """Whether the next answer has this status, says what was wrong as all errors do, and is the last one."""
    answer = client.answer()
    assert answer.status == status
    assert answer.json().keys() == {"error", "type"}
    assert answer.headers["connection"] == "close"
    return client.is_closed()


# Headers


def test_ordinary_requests_share_a_connection(client: RawClient) -> None:
    for _ in range(3):
        answer = client.ask(post(ASKED))
        assert (answer.status, answer.json()) == (200, {"answered": "a film"})
    assert client.ask(get("/ping")).status == 200


def test_headers_over_the_limit_are_431(client: RawClient) -> None:
    client.send(get("/ping", "X-Long: " + "x" * 33_000))
    assert is_last(client, 431)


def test_a_header_that_never_ends_is_431_long_before_the_client_has_sent_it(client: RawClient) -> None:
    client.send(b"GET /ping HTTP/1.1\r\nHost: test\r\nX-Long: " + b"x" * 100_000)
    assert is_last(client, 431)


def test_over_a_hundred_headers_are_431(client: RawClient) -> None:
    client.send(get("/ping", *(f"X-{n}: {n}" for n in range(100))))
    assert is_last(client, 431)


def test_a_hundred_headers_and_32_kib_of_them_are_allowed(client: RawClient) -> None:
    assert client.ask(get("/ping", *(f"X-{n}: {n}" for n in range(99)))).status == 200
    assert client.ask(get("/ping", "X-Long: " + "x" * 32_500)).status == 200


def test_a_large_body_is_no_large_header(client: RawClient) -> None:
    answer = client.ask(post(b'{"inputs": "' + b"x" * 3_000_000 + b'"}'))
    assert answer.status == 200


def test_a_long_url_is_414(client: RawClient) -> None:
    client.send(get("/ping?" + "x" * 9_000))
    assert is_last(client, 414)


def test_a_url_that_never_ends_is_414(client: RawClient) -> None:
    client.send(b"GET /" + b"x" * 100_000)
    assert is_last(client, 414)


def test_headers_that_do_not_end_in_time_are_408(hurried: RawClient) -> None:
    hurried.send(b"GET /ping HTTP/1.1\r\nHost: test\r\n")
    assert is_last(hurried, 408)


def test_a_connection_on_which_nothing_is_sent_is_closed(hurried: RawClient) -> None:
    assert hurried.is_closed()


def test_trailers_are_no_headers_and_are_bounded(client: RawClient) -> None:
    whole = CHUNKED + chunk(ASKED) + b"0\r\n"
    answer = client.ask(whole + b"X-Request-Id: mine\r\n\r\n")
    assert answer.status == 200
    assert answer.headers["x-request-id"] != "mine"
    client.send(whole + b"X-Long: " + b"x" * 100_000)
    assert is_last(client, 431)


# Bodies


def test_a_body_that_does_not_arrive_in_time_is_408_and_counted_so(impatient: Front, hurried: RawClient) -> None:
    before = impatient.metric("requests_total", code="408")
    hurried.send(post(b'{"in', length=20))
    assert is_last(hurried, 408)
    until(lambda: impatient.metric("requests_total", code="408") == before + 1)
    assert impatient.metric("requests_total", code="499") == 0


def test_chunks_that_do_not_end_in_time_are_408(hurried: RawClient) -> None:
    hurried.send(CHUNKED + chunk(b'{"in'))
    assert is_last(hurried, 408)


def test_a_body_over_the_limit_is_refused_unread_and_its_sender_gets_the_answer(client: RawClient) -> None:
    answer = client.ask(post(b"x" * (BODY_LIMIT + 1)))
    assert (answer.status, answer.json()["type"]) == (413, "TooLarge")
    assert client.is_closed()


def test_chunks_over_the_limit_are_refused_and_their_sender_gets_the_answer(client: RawClient) -> None:
    answer = client.ask(CHUNKED + chunk(b"x" * BODY_LIMIT) + chunk(b"x"))
    assert (answer.status, answer.json()["type"]) == (413, "TooLarge")
    assert client.is_closed()


def test_a_small_body_for_nobody_does_not_cost_the_connection(client: RawClient) -> None:
    assert client.ask(post(b"x" * 1000, path="/nowhere")).status == 404
    assert client.ask(post(ASKED)).status == 200


def test_a_client_that_waits_for_100_continue_is_told_to_go_on_or_refused(server: Front) -> None:
    with connected(server.address) as one:
        one.send(post(b"", "Expect: 100-continue", length=len(ASKED)))
        assert one.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert one.ask(ASKED).status == 200
    with connected(server.address) as one:
        answer = one.ask(post(b"", "Expect: 100-continue", length=BODY_LIMIT + 1))
        assert answer.status == 413
        assert one.is_closed()


# What is not HTTP


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno header\r\n\r\n"])
def test_what_is_not_http_is_400(client: RawClient, sent: bytes) -> None:
    client.send(sent)
    assert is_last(client, 400)


def test_a_body_in_broken_chunks_is_400(client: RawClient) -> None:
    client.send(CHUNKED + b"nine\r\n")
    assert is_last(client, 400)


def test_malformed_requests_are_logged_in_sum(server: Front, log: Path) -> None:
    before = log.read_text().count("were not HTTP")
    for _ in range(50):
        with connected(server.address) as one:
            one.send(b"\0\0\0\0")
            assert is_last(one, 400)
    until(lambda: log.read_text().count("were not HTTP") > before)
    lines = [line for line in log.read_text().splitlines() if "were not HTTP" in line][before:]
    assert len(lines) <= 3
    assert "Invalid HTTP request" not in log.read_text()


@pytest.mark.parametrize("length", [20, 200_000])
def test_another_protocol_is_not_spoken_and_the_request_is_answered(client: RawClient, length: int) -> None:
    """Java's client offers HTTP/2 with its first request, whatever that is."""
    body = b'{"inputs": "' + b"x" * length + b'"}'
    offer = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAA")
    assert client.ask(post(body, *offer)).json() == {"answered": "x" * length}
    assert client.ask(post(ASKED)).status == 200


def test_a_tunnel_is_not_opened(client: RawClient) -> None:
    client.send(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
    assert is_last(client, 400)


# Pipelined


def test_requests_that_come_together_are_answered_in_their_order(client: RawClient) -> None:
    client.send(b"".join(post(b'{"inputs": "%d"}' % n) for n in range(10)))
    assert [client.answer().json() for _ in range(10)] == [{"answered": str(n)} for n in range(10)]


def test_what_comes_before_a_malformed_request_is_answered_first(client: RawClient) -> None:
    client.send(post(ASKED) + post(ASKED) + b"\0\0\0\0")
    assert [client.answer().status for _ in range(2)] == [200, 200]
    assert is_last(client, 400)


def test_more_than_may_wait_on_one_connection_is_refused_after_what_may(client: RawClient) -> None:
    client.send(get("/ping") * 1000)
    assert [client.answer().status for _ in range(17)] == [200] * 17
    assert is_last(client, 503)


def test_a_large_body_may_not_wait_behind_another_request(client: RawClient) -> None:
    client.send(get("/ping") + post(b"x", length=100_000))
    assert client.answer().status == 200
    assert is_last(client, 503)


# Connections


@contextmanager
def full(server: Front) -> Iterator[list[RawClient]]:
    """Every ordinary connection is taken: idle, after a first answer."""
    with many_connected(server.address, 5) as clients:
        for one in clients:
            assert one.ask(get("/v2")).status == 200
        yield clients


@pytest.fixture(scope="module")
def small(model: GatedModel) -> Iterator[Front]:
    with front([model.spec], max_connections=5) as running:
        running.http.close()
        yield running


def test_a_connection_over_the_limit_is_503_and_those_within_go_on(small: Front) -> None:
    with full(small) as clients:
        with connected(small.address) as one:
            one.send(post(ASKED))
            answer = one.answer()
            assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "1", "close")
            assert one.is_closed()
        assert [one.ask(post(ASKED)).status for one in clients] == [200] * 5


@pytest.mark.parametrize("path", ["/ping", "/metrics", "/v2/health/live", "/v2/health/ready", "/ping?probe=1"])
def test_health_and_metrics_answer_while_every_connection_is_taken(small: Front, path: str) -> None:
    with full(small), many_connected(small.address, 100) as silent, connected(small.address) as one:
        answer = one.ask(get(path))
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert one.is_closed()
        # Of those that say nothing the first had to make room.
        assert is_last(silent[0], 503)


def test_a_connection_is_free_again_when_another_one_ends(small: Front) -> None:
    with full(small) as clients:
        clients[0].close()

        def has_room() -> bool:
            with connected(small.address) as one:
                return one.ask(post(ASKED)).status == 200

        until(has_room)
