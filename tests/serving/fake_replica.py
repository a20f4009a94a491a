"""A replica without an engine, which does what a test says."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from serving.cpu_plan import CpuPlan
from serving.front.replica import Listener, MakeReplica, ReplicaLost, State
from serving.front.settings import Settings, VariantSpec
from serving.wire.cost import NO_COST
from serving.wire.messages import Ask, BatchDone, Beat, Ready, Reply


def fakes(settings: Settings, plan: CpuPlan) -> MakeReplica:
    """Replicas that answer by themselves."""
    return lambda spec, listener: FakeReplica(spec, listener, by_itself=True)


class FakeReplica:
    """Answers each request with its own body: by itself at the next turn of the event loop, or when told to.

    `asked` are the requests in its hands, `cancelled` the ids of those that nobody waits for any more.
    """

    def __init__(self, spec: VariantSpec, listener: Listener, *, by_itself: bool = False) -> None:
        self.name, self._listener, self._by_itself = spec.name, listener, by_itself
        self.state: State = "loading"
        self.error = ""
        self.facts: Mapping[str, Any] = {}
        self.load_s = 0.0
        self.beat = Beat()
        self.retry_after_s = 3.0
        self.asked: dict[int, tuple[Ask, asyncio.Future[Reply]]] = {}
        self.cancelled: set[int] = set()

    @property
    def in_hand(self) -> int:
        return len(self.asked)

    def describe(self) -> dict[str, Any]:
        return {"state": self.state, "error": self.error}

    async def run(self) -> None:
        try:
            if self._by_itself:
                self.become_ready()
            await asyncio.Event().wait()
        finally:
            self.end()

    def ask(self, ask: Ask) -> "asyncio.Future[Reply]":
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.asked[ask.id] = ask, reply
        if self._by_itself:
            asyncio.get_running_loop().call_soon(self.answer, ask.id)
        return reply

    def cancel(self, request_id: int) -> None:
        if self.asked.pop(request_id, None):
            self.cancelled.add(request_id)

    def become_ready(self) -> None:
        ready = Ready({"labels": ["negative", "positive"]}, 0.5, NO_COST, 1, 1)
        self.facts, self.load_s, self.beat = ready.facts, ready.load_s, Beat(0, 0, 2**20)
        self._listener.on_ready(ready)
        self._set("ready")

    def answer(self, request_id: int, reply: Reply | None = None) -> None:
        """Answer a request, if anybody waits for it still."""
        if request_id in self.asked:
            ask, future = self.asked.pop(request_id)
            self._listener.on_batch(BatchDone(1, 1, 0, 0.001, 0.001))
            future.set_result(reply or _echo(ask))

    def fail(self, error: str) -> None:
        self._set("failed", error)

    def end(self, running: tuple[int, ...] = ()) -> None:
        """End with everything in its hands, of which it was running these."""
        asked, self.asked = self.asked, {}
        self._set("ended", "It ended.")
        self._listener.on_death([ask for ask, _ in asked.values() if ask.id in running])
        for ask, reply in asked.values():
            if not reply.done():
                reply.set_exception(ReplicaLost(ask.id in running))

    def _set(self, state: State, error: str = "") -> None:
        self.state, self.error = state, error
        self._listener.on_change()


def _echo(ask: Ask) -> Reply:
    try:
        msgspec.json.decode(ask.body)
    except msgspec.DecodeError:
        return Reply(ask.id, error="BadInput", message="The body is not JSON.")
    return Reply(ask.id, ask.body, "application/json", tokens=1)
