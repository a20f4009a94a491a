"""Answers in parts, for InvokeEndpointWithResponseStream: the container answers /invocations with chunks."""

import asyncio
import http.client
import json
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from serving.cpu_plan import make_plan, usable_cores
from serving.front.app import Front as App
from serving.front.app import make_app
from serving.front.metrics import Metrics
from serving.front.replica import Listener
from serving.front.server import make_repository
from serving.front.settings import Settings, VariantSpec
from serving.wire.messages import Reply
from tests.serving.fake_replica import FakeReplica
from tests.serving.front_server import Front, becomes, front, spec

pytestmark = pytest.mark.timeout(300)

TEXTS = [f"a good film, number {number}" for number in range(60)]
BODY = json.dumps({"inputs": TEXTS}).encode()


@pytest.fixture(scope="module")
def server(dense: Path) -> Iterator[Front]:
    with front([spec(dense)], batch_tokens=64) as served:
        yield served


def ask(server: Front, headers: Mapping[str, str], body: bytes = BODY) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection(*server.address, timeout=60)) as connection:
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer, answer.read()


def rounded(body: bytes, kind: str) -> list[Any]:
    rows = json.loads(body) if kind == "application/json" else [json.loads(line) for line in body.splitlines()]
    return [(row["label"], round(row["score"], 4)) for row in rows]


@pytest.mark.parametrize("kind", ["application/json", "application/jsonlines"])
@pytest.mark.parametrize("asks", ["by the stream's own header", "by a parameter of Accept"])
def test_a_list_is_answered_in_chunks_that_are_together_the_answer(server: Front, kind: str, asks: str) -> None:
    headers = {"X-Amzn-SageMaker-Accept": kind} if "header" in asks else {"Accept": f"{kind}; stream=true"}
    answer, body = ask(server, headers)
    assert (answer.status, answer.headers["Transfer-Encoding"], answer.headers["Content-Type"]) == (
        200,
        "chunked",
        kind,
    )
    assert answer.headers["X-Amzn-Invoked-Production-Variant"] == "dense"
    assert answer.headers["Content-Length"] is None
    _, whole = ask(server, {"Accept": kind})
    assert rounded(body, kind) == rounded(whole, kind)
    assert len(body) == pytest.approx(len(whole), rel=0.01), "scores may differ in their last digits"


def test_nobody_else_gets_chunks_and_what_is_short_has_a_length(server: Front) -> None:
    for answer, _ in (
        ask(server, {}),
        ask(server, {"Accept": "application/json; stream=false"}),
        ask(server, {"Accept": "application/json; stream=true"}, b'{"inputs": "good"}'),
    ):
        assert (answer.status, answer.headers["Transfer-Encoding"]) == (200, None)


def test_an_error_before_the_first_part_is_an_ordinary_answer(server: Front) -> None:
    answer, body = ask(server, {"Accept": "application/json; stream=true"}, b'{"inputs": 7}')
    assert (answer.status, json.loads(body)["type"]) == (400, "BadInput")


Sent = list[MutableMapping[str, Any]]


def parted(*messages: Reply) -> Sent:
    """What the front sends of parts and a reply that a replica gives."""

    async def work() -> Sent:
        made: list[tuple[FakeReplica, Listener]] = []

        def make(spec: VariantSpec, listener: Listener) -> FakeReplica:
            made.append((FakeReplica(spec, listener), listener))
            return made[-1][0]

        repository = make_repository(Settings(), make_plan(usable_cores(), 1), Metrics(), hosts=lambda *_: make)
        repository.add(VariantSpec("one", Path("one"), "fake"))
        repository.start()
        replica, listener = made[0]
        replica.become_ready()
        sent: Sent = []
        asking = asyncio.create_task(_post(make_app(App(repository, Settings(), Metrics())), sent))
        await becomes(lambda: replica.asked)
        for message in messages:
            if message.more:
                listener.on_part(message)
            else:
                replica.answer(message.id, message)
        await asking
        await repository.stop()
        return sent

    return asyncio.run(work())


def part(body: bytes, truncated: tuple[int, ...] = ()) -> Reply:
    return Reply(0, body, "application/json", truncated=truncated, more=True)


async def _post(app: Any, sent: Sent) -> None:
    arriving = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if arriving:
            return arriving.pop()
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"accept", b"application/json; stream=true")]
    scope = {"type": "http", "path": "/invocations", "method": "POST", "headers": headers, "http_version": "1.1"}
    await app(scope, receive, send)


def test_each_part_is_sent_as_it_comes_and_the_reply_ends_the_answer() -> None:
    parts = part(b"[1", (1,)), part(b",2")
    start, *bodies = parted(*parts, Reply(0, b",3]", "application/json"))
    assert (start["status"], dict(start["headers"])[b"x-paretoserve-truncated"]) == (200, b"1")
    assert [(one["body"], one.get("more_body", False)) for one in bodies] == [
        (b"[1", True),
        (b",2", True),
        (b",3]", False),
    ]


def test_an_error_half_way_leaves_the_answer_without_its_end() -> None:
    start, *bodies = parted(part(b"[1"), Reply(0, error="BackendError", message="It failed."))
    assert start["status"] == 200
    assert [(one["body"], one["more_body"]) for one in bodies] == [(b"[1", True)]
