"""What a variant does with its replicas, over replicas that do what a test says. No processes, no engine."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from handlers.payloads.request import RawRequest
from model_store.errors import DeadlineExceeded, NotReady, WorkerFailed
from serving import tuning
from serving.front.metrics import Metrics
from serving.front.refusals import Refusal, Refused
from serving.front.replica import Listener
from serving.front.settings import Settings, VariantSpec
from serving.front.variant import ServedVariant
from serving.wire.messages import Reply
from tests.serving.fake_replica import FakeReplica


class Bench:
    """A variant with so many replicas, ready unless told otherwise."""

    def __init__(self, replicas: int = 1, *, ready: bool = True, max_queue: int = 100) -> None:
        self.replicas: list[FakeReplica] = []
        settings = Settings(workers=replicas, queue_deadline_s=60.0, max_queue=max_queue)
        metrics = Metrics()
        self._registry = metrics.registry
        spec = VariantSpec("toy", Path("toy"), "fake")
        self.variant = ServedVariant(spec, settings, "a plan", metrics.of("toy", "fake"), self._make)
        if ready:
            for replica in self.replicas:
                replica.become_ready()

    def _make(self, spec: VariantSpec, listener: Listener) -> FakeReplica:
        self.replicas.append(FakeReplica(spec, listener))
        return self.replicas[-1]

    async def asking(self, body: str = '"a"', timeout_s: float = math.inf) -> "asyncio.Task[Reply]":
        """A request that a replica has in hand, or that was refused."""
        task = asyncio.create_task(self.variant.ask(RawRequest(body.encode()), timeout_s))
        await turns()
        return task

    def metric(self, name: str) -> float:
        return self._registry.get_sample_value(f"paretoserve_{name}", {"variant": "toy", "backend": "fake"}) or 0.0

    @property
    def in_hand(self) -> list[list[int]]:
        """The ids of the requests that each replica has."""
        return [list(replica.asked) for replica in self.replicas]


async def turns() -> None:
    """So many turns of the event loop that everything has happened that was due."""
    for _ in range(10):
        await asyncio.sleep(0)


def on_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test that is a coroutine."""

    def run() -> None:
        async def awaited() -> None:
            await test()

        asyncio.run(awaited())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_loop
async def test_a_request_goes_to_the_replica_with_the_least_in_hand() -> None:
    bench = Bench(2)
    tasks = [await bench.asking() for _ in range(3)]
    assert bench.in_hand == [[0, 2], [1]]
    bench.replicas[0].answer(0)
    bench.replicas[0].answer(2)
    tasks += [await bench.asking()]
    assert bench.in_hand == [[3], [1]]
    for replica, number in ((0, 3), (1, 1)):
        bench.replicas[replica].answer(number)
    assert [(await task).id for task in tasks] == [0, 1, 2, 3]
    assert bench.metric("in_flight_requests") == 0


@on_loop
async def test_only_ready_replicas_are_asked() -> None:
    bench = Bench(2)
    bench.replicas[0].fail("It is out of order.")
    await bench.asking()
    assert bench.in_hand == [[], [0]]
    assert bench.metric("worker_ready") == 1


@on_loop
async def test_why_nothing_is_admitted_is_told_by_its_reason() -> None:
    loading, full, draining = Bench(ready=False), Bench(max_queue=1), Bench()
    failed = Bench()
    failed.replicas[0].fail("'model.onnx' is damaged.")
    await full.asking()
    await draining.variant.drain()
    expected = {
        loading: (Refusal.NOT_READY, "It is loading."),
        failed: (Refusal.NOT_READY, "'model.onnx' is damaged."),
        full: (Refusal.QUEUE_FULL, "queue full"),
        draining: (Refusal.DRAINING, "shutting down"),
    }
    for bench, (reason, words) in expected.items():
        with pytest.raises(Refused) as caught:
            await bench.variant.ask(RawRequest(b'"b"'))
        assert caught.value.reason is reason
        assert words in str(caught.value.error)


@on_loop
async def test_what_a_dead_replica_leaves_is_answered_by_another_one() -> None:
    bench = Bench(2)
    waiting, running = await bench.asking('"waiting"'), await bench.asking('"other"')
    second = await bench.asking('"running"')
    assert bench.in_hand == [[0, 2], [1]]
    bench.replicas[0].end(running=(2,))
    await turns()
    assert bench.in_hand == [[], [1, 0, 2]]
    isolated = {number: ask.isolated for number, (ask, _) in bench.replicas[1].asked.items()}
    assert isolated == {1: False, 0: False, 2: True}
    for number in (0, 1, 2):
        bench.replicas[1].answer(number)
    assert [(await task).body for task in (waiting, running, second)] == [b'"waiting"', b'"other"', b'"running"']


@on_loop
async def test_a_request_that_ended_two_replicas_is_not_given_to_a_third_and_not_admitted_again() -> None:
    bench = Bench(3)
    deadly = await bench.asking('"deadly"')
    bench.replicas[0].end(running=(0,))
    await turns()
    bench.replicas[1].end(running=(0,))
    with pytest.raises(WorkerFailed):
        await deadly
    assert bench.in_hand == [[], [], []]
    with pytest.raises(Refused) as caught:
        await bench.variant.ask(RawRequest(b'"deadly"'))
    assert caught.value.reason is Refusal.QUARANTINED
    assert isinstance(caught.value.error, WorkerFailed)


@on_loop
async def test_a_suspect_that_was_answered_is_none_any_more() -> None:
    bench = Bench(2)
    suspect = await bench.asking('"suspect"')
    bench.replicas[0].end(running=(0,))
    await turns()
    bench.replicas[1].answer(0)
    await suspect
    await bench.asking('"suspect"')
    ((ask, _),) = bench.replicas[1].asked.values()
    assert not ask.isolated


@on_loop
async def test_what_the_only_replica_leaves_is_refused_at_once() -> None:
    bench = Bench()
    lost = await bench.asking()
    bench.replicas[0].end()
    with pytest.raises(NotReady, match="ended; ask again") as caught:
        await lost
    assert caught.value.retry_after_s == bench.replicas[0].retry_after_s
    assert bench.metric("in_flight_requests") == 0


@on_loop
async def test_what_the_last_of_several_replicas_leaves_waits_for_the_next_one() -> None:
    bench = Bench(2, ready=False)
    bench.replicas[0].become_ready()
    lost = await bench.asking()
    bench.replicas[0].end()
    await turns()
    assert not lost.done()
    bench.replicas[1].become_ready()
    await turns()
    bench.replicas[1].answer(0)
    assert (await lost).body == b'"a"'


def test_nobody_waits_for_the_next_replica_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "STRANDED_S", 0.01)

    async def work() -> None:
        bench = Bench(2, ready=False)
        bench.replicas[0].become_ready()
        lost = await bench.asking()
        bench.replicas[0].end()
        with pytest.raises(NotReady, match="ended; ask again"):
            await lost

    asyncio.run(work())


@on_loop
async def test_a_client_that_leaves_or_whose_deadline_passes_takes_its_request_back() -> None:
    bench = Bench()
    left = await bench.asking()
    late = await bench.asking(timeout_s=0.01)
    left.cancel()
    with pytest.raises(DeadlineExceeded):
        await late
    assert bench.replicas[0].cancelled == {0, 1}
    assert bench.metric("in_flight_requests") == 0


@on_loop
async def test_it_is_drained_once_everything_admitted_is_answered() -> None:
    bench = Bench()
    await bench.asking()
    drained = asyncio.create_task(bench.variant.drain())
    await turns()
    assert not drained.done()
    assert not bench.variant.ready
    bench.replicas[0].answer(0)
    await drained


@on_loop
async def test_it_describes_each_replica_and_what_was_loaded() -> None:
    described = Bench(2).variant.describe()
    assert (described["name"], described["backend"], described["cpu_plan"]) == ("toy", "fake", "a plan")
    assert described["workers"] == [{"state": "ready", "error": ""}] * 2
    assert described["labels"] == ["negative", "positive"]
