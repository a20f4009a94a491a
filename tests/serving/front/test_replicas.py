"""What every kind of replica promises the front. Another kind passes all of it by one line in `CASES`."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest

from serving.cpu_plan import CpuPlan, make_plan, usable_cores
from serving.front.replica import Listener, MakeReplica, Replica, ReplicaLost
from serving.front.settings import Settings
from serving.wire.messages import Ask, BatchDone, Ready, Reply
from tests.serving.front_server import becomes, spec

T = TypeVar("T")
Hosts = Callable[[Settings, CpuPlan], MakeReplica]


@dataclass(frozen=True)
class Case:
    """A kind of replica: its name, and where its maker is found."""

    name: str
    module: str
    function: str

    def __str__(self) -> str:
        return self.name

    @property
    def hosts(self) -> Hosts:
        found: Hosts = getattr(import_module(self.module), self.function)
        return found


CASES = (
    Case("worker-process", "serving.front.worker_replica", "worker_processes"),
    Case("in-process", "tests.serving.in_process", "in_process"),
    Case("fake", "tests.serving.fake_replica", "fakes"),
)


@dataclass
class Notes:
    """Everything that a replica tells."""

    ready: list[Ready] = field(default_factory=list)
    batches: list[BatchDone] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    dead: list[Ask] = field(default_factory=list)


@dataclass
class Bench:
    """A replica of the tiny variant, running on an event loop that goes on between the calls of a test."""

    runner: asyncio.Runner
    notes: Notes
    replica: Replica
    task: "asyncio.Task[None]"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def end(self) -> None:
        async def ended() -> None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

        self.run(ended())


def started(case: Case, folder: Path) -> Bench:
    runner, notes = asyncio.Runner(), Notes()
    replica: Replica

    def on_change() -> None:
        notes.states.append(replica.state)

    listener = Listener(notes.ready.append, notes.batches.append, on_change, lambda: None, notes.dead.extend)
    plan = make_plan(usable_cores(), 1, streams=1)
    replica = case.hosts(Settings(), plan)(spec(folder), listener)
    assert (replica.state, replica.in_hand) == ("loading", 0)

    async def start() -> "asyncio.Task[None]":
        task = asyncio.create_task(replica.run())
        await becomes(lambda: replica.state == "ready")
        return task

    return Bench(runner, notes, replica, runner.run(start()))


@pytest.fixture(scope="module", params=CASES, ids=str)
def bench(request: pytest.FixtureRequest, dense: Path) -> Iterator[Bench]:
    made = started(request.param, dense)
    yield made
    made.end()
    made.runner.close()


def ask(number: int, body: bytes = b'{"inputs": "a good film"}') -> Ask:
    return Ask(number, body, "application/json", "", "invocations", None, math.inf, math.inf)


async def all_of(*replies: Awaitable[Reply]) -> list[Reply]:
    return await asyncio.gather(*replies)


def test_it_says_what_it_loaded_and_then_that_it_is_ready(bench: Bench) -> None:
    (ready,) = bench.notes.ready
    assert (bench.replica.facts, bench.replica.load_s) == (ready.facts, ready.load_s)
    assert ready.facts["labels"] == ["negative", "positive"]
    assert bench.notes.states[-1] == "ready"
    assert (bench.replica.state, bench.replica.error) == ("ready", "")
    described = bench.replica.describe()
    assert (described["state"], described["error"]) == ("ready", "")
    assert bench.replica.retry_after_s > 0


def test_a_request_is_answered_by_its_id_and_the_call_is_told(bench: Bench) -> None:
    async def work() -> Reply:
        asked = bench.replica.ask(ask(7))
        assert bench.replica.in_hand == 1
        reply = await asked
        await becomes(lambda: bench.notes.batches)
        return reply

    reply = bench.run(work())
    assert (reply.id, reply.error) == (7, "")
    assert reply.body
    assert bench.replica.in_hand == 0


def test_many_at_once_are_answered_each_with_its_own_reply(bench: Bench) -> None:
    async def work() -> list[Reply]:
        return await all_of(*(bench.replica.ask(ask(number)) for number in range(100, 200)))

    replies = bench.run(work())
    assert [(reply.id, reply.error) for reply in replies] == [(number, "") for number in range(100, 200)]


def test_what_cannot_be_read_is_a_reply_with_an_error_and_harms_nobody(bench: Bench) -> None:
    async def work() -> list[Reply]:
        large = b"[" + b" " * 100_000 + b'"good"'
        asks = (ask(1, b"{"), ask(2), ask(3, large), ask(4))
        return await all_of(*map(bench.replica.ask, asks))

    assert [(reply.id, reply.error) for reply in bench.run(work())] == [
        (1, "BadInput"),
        (2, ""),
        (3, "BadInput"),
        (4, ""),
    ]


def test_what_is_cancelled_is_not_in_hand_any_more_and_others_are_answered(bench: Bench) -> None:
    async def work() -> Reply:
        left, stays = bench.replica.ask(ask(10)), bench.replica.ask(ask(11))
        left.cancel()
        bench.replica.cancel(10)
        assert bench.replica.in_hand == 1
        return await stays

    assert bench.run(work()).id == 11
    bench.replica.cancel(11)
    bench.replica.cancel(12345)
    assert bench.run(all_of()) == []


def test_it_tells_its_memory(bench: Bench) -> None:
    bench.run(becomes(lambda: bench.replica.beat.resident_bytes > 0))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_when_it_is_ended_whoever_waits_is_told_and_nothing_is_ready(case: Case, dense: Path) -> None:
    bench = started(case, dense)

    async def work() -> "asyncio.Future[Reply]":
        waiting = bench.replica.ask(ask(1))
        bench.task.cancel()
        await asyncio.gather(bench.task, return_exceptions=True)
        return waiting

    try:
        waiting = bench.run(work())
        assert waiting.done()
        assert waiting.exception() is None or isinstance(waiting.exception(), ReplicaLost)
        assert (bench.replica.state, bench.replica.in_hand) == ("ended", 0)
        assert {one.id for one in bench.notes.dead} <= {1}
    finally:
        bench.runner.close()
