"""The threads that feed the engine, over handlers that do as they are told. No HTTP, no processes."""

import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from handlers.handler import Answer, Handler, Prepared
from handlers.tasks.base import Floats
from handlers.tokens.packing import Tokens
from handlers.user_code import UserCode
from model_store.errors import BackendError, BadInput, NotAcceptable, NotReady, ParetoServeError
from model_store.manifest import Manifest, Technique
from serving.wire.black_box import BlackBox
from serving.wire.cost import NO_COST, Cost
from serving.wire.messages import BatchDone, Reply
from serving.wire.timings import Timings
from serving.worker.job import Job
from serving.worker.streams import Streams
from tests.serving.front_server import until

MANIFEST = Manifest(
    model="m", variant="v", technique=Technique(recipe="toy"), task_settings={"labels": ["a"]}, max_tokens=8
)
LONG_AGO, NEVER = -math.inf, math.inf


@dataclass
class EchoHandler(Handler):
    """Its logits are the first token of each text. A batch with a text of `bad` tokens fails.

    Each call of the engine waits until the test lets it go: `entered` tells of it, `proceed` ends it.
    """

    manifest: Manifest = MANIFEST
    model: Any = None
    bad: int | None = None
    batched: list[list[int]] = field(default_factory=list)
    entered: "queue.Queue[list[int]]" = field(default_factory=queue.Queue)
    proceed: "queue.Queue[None]" = field(default_factory=queue.Queue)

    def infer(self, rows: Sequence[Sequence[Tokens]]) -> list[Floats]:
        (row,) = rows
        firsts = [int(text.input_ids[0]) for text in row]
        self.batched.append(firsts)
        self.entered.put(firsts)
        self.proceed.get()
        if self.bad in firsts:
            raise BackendError("The engine is out of order.")
        return [np.array([first], np.float32) for first in firsts]

    def finish(self, prepared: Prepared, outputs: Sequence[Floats]) -> Answer:
        return Answer(msgspec.json.encode([int(number) for (number,) in outputs]), "application/json")


class RefusingHandler(EchoHandler):
    """Cannot write what the client of text 1 accepts."""

    def finish(self, prepared: Prepared, outputs: Sequence[Floats]) -> Answer:
        if outputs[0] == [1]:
            raise NotAcceptable("text/html", ("application/json",))
        return super().finish(prepared, outputs)


class OwnModelHandler(EchoHandler):
    """A user's own model, asked one request at a time; it raises what it is sent, if that is an error."""

    def run_alone(self, prepared: Prepared) -> Answer:
        self.entered.put([0])
        self.proceed.get()
        if isinstance(prepared.data, Exception):
            raise prepared.data
        return Answer(msgspec.json.encode(prepared.data), "application/json")


def job(number: int, *texts: int, tokens: int = 10, queue_by: float = NEVER, expires: float = NEVER) -> Job:
    """A request of the texts with these numbers, or of text `number` alone."""
    now = time.monotonic()
    made = Job(number, queue_by, expires, Timings(now, now))
    types = np.zeros(tokens, np.int64)
    contents = tuple(Tokens(np.full(tokens, text), types) for text in texts or (number,))
    made.prepared = Prepared("", None, contents)
    return made


class Bench:
    """Streams with a handler, and all that they have sent."""

    def __init__(self, handler: EchoHandler, streams: int = 1, batch_tokens: int = 100, cost: Cost = NO_COST) -> None:
        self.handler = handler
        self._sent: queue.Queue[Reply | BatchDone] = queue.Queue()
        self.black_box = BlackBox(BlackBox.make_file(streams), streams)
        self.streams = Streams(handler, streams, batch_tokens, self._keep, self.black_box, cost)

    def _keep(self, messages: list[Reply | BatchDone]) -> None:
        for message in messages:
            self._sent.put(message)

    def hold(self) -> None:
        """Occupy a stream with a request of its own (number 0), so that what comes next waits together."""
        self.streams.put(job(0))
        assert self.handler.entered.get() == [0]

    def proceed(self, calls: int = 1) -> None:
        for _ in range(calls):
            self.handler.proceed.put(None)

    def until_batches(self, count: int, let_go: int | None = None) -> tuple[dict[int, Reply], list[BatchDone]]:
        """Let the engine go (as often, or `let_go` times) until it has ended `count` calls; what it sent."""
        self.proceed(count if let_go is None else let_go)
        replies: dict[int, Reply] = {}
        batches: list[BatchDone] = []
        while len(batches) < count:
            message = self._sent.get()
            if isinstance(message, Reply):
                assert message.id not in replies, "answered twice"
                replies[message.id] = message
            else:
                batches.append(message)
        return replies, batches

    def until_answered(self, count: int) -> None:
        """Until so many replies were sent."""
        while count:
            count -= isinstance(self._sent.get(), Reply)


@pytest.fixture
def bench() -> Bench:
    return Bench(EchoHandler())


def body(reply: Reply) -> Any:
    assert not reply.error, reply.message
    return msgspec.json.decode(reply.body)


def test_a_lone_request_is_run_at_once(bench: Bench) -> None:
    bench.streams.put(job(7))
    replies, (batch,) = bench.until_batches(1)
    assert body(replies[7]) == [7]
    assert (batch.requests, batch.tokens, batch.padding_tokens) == (1, 10, 0)
    assert min(batch.batch_s, batch.infer_s, batch.encode_s) > 0
    assert batch.batch_s + batch.infer_s + batch.encode_s == pytest.approx(batch.busy_s, abs=1e-9)


def test_requests_that_wait_share_the_next_call_and_each_gets_its_own_answer(bench: Bench) -> None:
    bench.hold()
    for number in (1, 2, 3):
        bench.streams.put(job(number))
    assert bench.streams.queued() == (3, 30)
    replies, batches = bench.until_batches(2)
    assert {number: body(reply) for number, reply in replies.items()} == {0: [0], 1: [1], 2: [2], 3: [3]}
    assert (bench.handler.batched, batches[1].requests, batches[1].tokens) == ([[0], [1, 2, 3]], 3, 30)
    assert bench.streams.queued() == (0, 0)


def test_texts_of_one_request_split_over_batches_are_answered_once_and_in_order(bench: Bench) -> None:
    bench.hold()
    bench.streams.put(job(1, 11, 12, 13, 14, 15, tokens=30))
    bench.streams.put(job(2, tokens=10))
    replies, batches = bench.until_batches(3)
    assert body(replies[1]) == [11, 12, 13, 14, 15]
    assert body(replies[2]) == [2]
    assert bench.handler.batched == [[0], [11, 12, 13, 2], [14, 15]]
    assert replies[1].timings.infer_s == pytest.approx(batches[1].infer_s + batches[2].infer_s)


def test_while_others_wait_a_request_of_many_calls_has_every_fifth_of_them(bench: Bench) -> None:
    bench.hold()
    bench.streams.put(job(1, *range(100, 106), tokens=100))
    for number in range(2, 10):
        bench.streams.put(job(number, tokens=100))
    replies, _ = bench.until_batches(15)
    order = [number for (number,) in bench.handler.batched]
    assert order == [0, 100, 2, 3, 4, 5, 101, 6, 7, 8, 9, 102, 103, 104, 105]
    assert body(replies[1]) == [*range(100, 106)]
    assert [reply.bulk for _, reply in sorted(replies.items())] == [False, True, *[False] * 8]


def test_a_failing_batch_fails_only_the_requests_in_it() -> None:
    bench = Bench(EchoHandler(bad=2))
    bench.hold()
    for number in (1, 2, 3):
        bench.streams.put(job(number, tokens=50))
    replies, _ = bench.until_batches(3)
    assert [replies[number].error for number in range(4)] == ["", "BackendError", "BackendError", ""]
    assert replies[1].message == "The engine is out of order."


def test_a_request_that_failed_in_one_batch_is_not_run_in_another() -> None:
    bench = Bench(EchoHandler(bad=1))
    bench.hold()
    bench.streams.put(job(1, 1, 11, tokens=80))
    bench.streams.put(job(2, tokens=80))
    replies, _ = bench.until_batches(3)
    assert (replies[1].error, body(replies[2])) == ("BackendError", [2])
    assert bench.handler.batched == [[0], [1], [2]]


def test_a_request_that_fails_in_two_streams_at_once_is_answered_once() -> None:
    bench = Bench(EchoHandler(bad=1), streams=2)
    bench.streams.put(job(1, 1, 1, tokens=80))
    for _ in range(2):
        assert bench.handler.entered.get() == [1]
    replies, _ = bench.until_batches(2)
    assert replies[1].error == "BackendError"


def test_a_request_that_cannot_be_finished_leaves_its_neighbours_alone() -> None:
    bench = Bench(RefusingHandler())
    bench.hold()
    for number in (1, 2):
        bench.streams.put(job(number))
    replies, _ = bench.until_batches(2)
    assert (replies[1].error, body(replies[2])) == ("NotAcceptable", [2])


@pytest.mark.parametrize("position", range(4))
def test_a_cancelled_request_never_reaches_the_engine_and_the_other_three_are_answered(
    bench: Bench, position: int
) -> None:
    bench.hold()
    jobs = [job(number) for number in (1, 2, 3, 4)]
    for one in jobs:
        bench.streams.put(one)
    jobs[position].cancelled = True
    others = [one.id for one in jobs if not one.cancelled]
    replies, _ = bench.until_batches(2)
    assert {number: body(reply) for number, reply in replies.items()} == {n: [n] for n in (0, *others)}
    assert bench.handler.batched[1] == others


@pytest.mark.parametrize("position", range(4))
def test_a_request_cancelled_while_the_engine_runs_it_takes_nobody_along(bench: Bench, position: int) -> None:
    bench.hold()
    jobs = [job(number) for number in (1, 2, 3, 4)]
    for one in jobs:
        bench.streams.put(one)
    bench.proceed()
    assert bench.handler.entered.get() == [1, 2, 3, 4]
    jobs[position].cancelled = True
    replies, _ = bench.until_batches(2, let_go=1)
    assert all(body(replies[n]) == [n] for n in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("deadlines", "error"),
    [
        ((LONG_AGO, NEVER), "Overloaded"),
        ((NEVER, LONG_AGO), "DeadlineExceeded"),
        ((LONG_AGO, LONG_AGO), "DeadlineExceeded"),
    ],
)
def test_an_expired_request_is_answered_why_and_never_reaches_the_engine(
    bench: Bench, deadlines: tuple[float, float], error: str
) -> None:
    bench.hold()
    bench.streams.put(job(1, 11, 12, queue_by=deadlines[0], expires=deadlines[1]))
    bench.streams.put(job(2))
    replies, _ = bench.until_batches(2)
    assert (replies[1].error, body(replies[2])) == (error, [2])
    assert (replies[1].retry_after_s > 0) is (error == "Overloaded")
    assert bench.handler.batched == [[0], [2]]


def test_expired_requests_are_answered_where_nothing_else_waits(bench: Bench) -> None:
    bench.streams.put(job(1, queue_by=LONG_AGO))
    bench.streams.put(job(2))
    replies, _ = bench.until_batches(1)
    assert (replies[1].error, replies[2].error) == ("Overloaded", "")


def test_a_request_that_the_engine_has_begun_does_not_expire_between_its_batches(bench: Bench) -> None:
    started = job(1, 11, 12, tokens=80)
    bench.streams.put(started)
    assert bench.handler.entered.get() == [11]
    started.queue_by = LONG_AGO
    replies, _ = bench.until_batches(2)
    assert body(replies[1]) == [11, 12]


def phases_s(timings: Timings) -> float:
    return timings.tokenize_s + timings.queue_s + timings.batch_s + timings.infer_s + timings.encode_s


def test_the_phases_of_a_request_add_up_however_many_calls_it_takes() -> None:
    bench = Bench(EchoHandler(), streams=2, batch_tokens=30)
    bench.proceed(100)
    asked = [job(number, *range(number)) for number in range(1, 8)]
    for one in asked:
        bench.streams.put(one)
    bench.until_answered(len(asked))
    for timings in (one.timings for one in asked):
        assert phases_s(timings) == pytest.approx(timings.worker_s, abs=1e-9)
        assert min(timings.queue_s, timings.batch_s, timings.infer_s) >= 0 < timings.infer_s


def test_calls_of_one_request_that_overlap_are_counted_once() -> None:
    timings = Timings(began=100, until=100)
    timings.waited(101)
    timings.tokenized(103)
    timings.called(taken=104, begun=106, ended=110)
    timings.called(taken=105, begun=107, ended=115)  # on another stream
    timings.called(taken=105, begun=106, ended=109)  # told late
    timings.encoded(116)
    found = [timings.tokenize_s, timings.queue_s, timings.batch_s, timings.infer_s, timings.encode_s]
    assert found == [2, 2, 2, 9, 1]
    assert timings.worker_s == phases_s(timings) == 16


def test_several_streams_run_at_once_and_nothing_is_lost() -> None:
    bench = Bench(EchoHandler(), streams=3, batch_tokens=30)
    bench.proceed(1000)

    def send(start: int) -> None:
        for n in range(start, 300, 4):
            bench.streams.put(job(n, n, n + 1, n + 2))

    for start in range(4):
        threading.Thread(target=send, args=(start,)).start()
    replies: dict[int, Reply] = {}
    while len(replies) < 300:
        found, _ = bench.until_batches(1)
        assert not replies.keys() & found.keys()
        replies |= found
    assert all(body(replies[n]) == [n, n + 1, n + 2] for n in range(300))


def test_what_a_stream_is_at_work_on_is_noted_while_it_is(bench: Bench) -> None:
    assert bench.black_box.running() == set()
    bench.hold()
    assert bench.black_box.running() == {0}
    bench.until_batches(1)
    until(lambda: bench.black_box.running() == set())


def test_a_suspect_runs_next_and_shares_its_call_with_nobody(bench: Bench) -> None:
    bench.hold()
    for number in (1, 2, 3):
        bench.streams.put(replace(job(number), isolated=number == 2))
    replies, _ = bench.until_batches(3)
    assert bench.handler.batched == [[0], [2], [1, 3]]
    assert replies.keys() == {0, 1, 2, 3}


def test_while_a_suspect_runs_all_other_streams_are_idle() -> None:
    bench = Bench(EchoHandler(), streams=2)
    bench.hold()
    bench.streams.put(replace(job(1), isolated=True))
    bench.streams.put(job(2))
    bench.proceed()
    assert bench.handler.entered.get() == [1]
    assert bench.black_box.running() == {1}
    replies, _ = bench.until_batches(3, let_go=2)
    assert bench.handler.batched == [[0], [1], [2]]
    assert replies.keys() == {0, 1, 2}


def test_a_suspect_too_long_for_one_call_is_answered_whole(bench: Bench) -> None:
    bench.hold()
    bench.streams.put(replace(job(1, 4, 5, 6, tokens=60), isolated=True))
    bench.streams.put(job(2))
    replies, _ = bench.until_batches(5)
    assert bench.handler.batched == [[0], [4], [5], [6], [2]]
    assert body(replies[1]) == [4, 5, 6]


def own_model(*sent: Any) -> dict[int, Reply]:
    """What a user's own model answers to requests with these numbers from 0 on."""
    user = UserCode(predict_fn=lambda data, model: data)
    bench = Bench(OwnModelHandler(user=user))
    for number, data in enumerate(sent):
        one = job(number)
        one.prepared = replace(one.prepared, data=data, windows=())  # type: ignore[type-var]
        bench.streams.put(one)
    return bench.until_batches(len(sent))[0]


def test_their_own_model_is_asked_one_request_at_a_time() -> None:
    assert {n: body(reply) for n, reply in own_model("one", {"two": 2}, None).items()} == {
        0: "one",
        1: {"two": 2},
        2: None,
    }


class TheirOwn(BadInput):
    """An error that a user derived from one of ours."""


@pytest.mark.parametrize(
    ("raised", "name", "retry_after_s"),
    [
        (lambda: TheirOwn("No verbs."), "BadInput", 0.0),
        (lambda: NotReady("Later.", 7.0), "NotReady", 7.0),
        (lambda: ParetoServeError("No."), "ParetoServeError", 0.0),
    ],
)
def test_errors_travel_by_a_name_that_the_front_knows(
    raised: Callable[[], Exception], name: str, retry_after_s: float
) -> None:
    replies = own_model(raised(), "fine")
    assert (replies[0].error, replies[0].retry_after_s, body(replies[1])) == (name, retry_after_s, "fine")
