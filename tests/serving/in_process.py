"""An engine in threads of the front's own process: one that crashes takes the front along, so it is for tests only."""

import asyncio
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from model_store.errors import ParetoServeError
from serving import tuning
from serving.cpu_plan import CpuPlan
from serving.front.replica import Listener, MakeReplica, ReplicaLost, State
from serving.front.settings import Settings, VariantSpec
from serving.processor_time import used_cpu_s
from serving.wire.black_box import BlackBox
from serving.wire.messages import DECODERS, Ask, BatchDone, Beat, Ready, Reply, slots_of
from serving.worker.engine import Engine
from serving.worker.start import load_variant


def in_process(settings: Settings, plan: CpuPlan) -> MakeReplica:
    return lambda spec, listener: InProcessReplica(spec, settings, plan, listener)


class InProcessReplica:
    """See `serving.front.replica.Replica`. A variant that cannot be loaded is not tried again."""

    def __init__(self, spec: VariantSpec, settings: Settings, plan: CpuPlan, listener: Listener) -> None:
        self._spec, self._settings, self._plan, self._listener = spec, settings, plan, listener
        self.state: State = "loading"
        self.error = ""
        self.facts: Mapping[str, Any] = {}
        self.load_s = self._start_s = 0.0
        self.beat = Beat()
        self.retry_after_s = 1.0
        self._pending: dict[int, asyncio.Future[Reply]] = {}
        self._engine: Engine | None = None
        self._stop = threading.Event()

    @property
    def in_hand(self) -> int:
        return len(self._pending)

    def describe(self) -> dict[str, Any]:
        start_s, load_s = round(self._start_s, 3), round(self.load_s, 3)
        return {"state": self.state, "error": self.error, "pid": os.getpid(), "start_s": start_s, "load_s": load_s}

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        beating = asyncio.create_task(self._beat())
        try:
            await asyncio.to_thread(self._host)
            await asyncio.Event().wait()  # it could not be loaded
        finally:
            self._stop.set()
            beating.cancel()
            self._set("ended")
            pending, self._pending = self._pending, {}
            for reply in pending.values():
                if not reply.done():
                    reply.set_exception(ReplicaLost)

    def ask(self, ask: Ask) -> "asyncio.Future[Reply]":
        assert self._engine is not None, "only ready replicas are asked"
        reply = self._pending[ask.id] = self._loop.create_future()
        self._engine.ask(ask)
        return reply

    def cancel(self, request_id: int) -> None:
        if self._engine and self._pending.pop(request_id, None):
            self._engine.cancel(request_id)

    def _host(self) -> None:
        """On a thread of its own: the engine's threads are born of the one that opens its session."""
        started, spec, plan = time.monotonic(), self._spec, self._plan
        try:
            loaded, ready = load_variant(
                spec.folder,
                spec.backend,
                plan.splits,
                self._settings.batch_tokens,
                cores=plan.known_cores,
                served_as=spec.name,
                limits=self._settings.limits,
            )
        except ParetoServeError as exc:
            self._loop.call_soon_threadsafe(self._set, "failed", str(exc))
            return
        slots = slots_of(plan.splits)
        black_box = BlackBox(BlackBox.make_file(slots), slots)
        self._engine = Engine(loaded, self._deliver, black_box, decoders=DECODERS - 1)
        self._start_s = time.monotonic() - started
        self._loop.call_soon_threadsafe(self._on_ready, ready)
        self._stop.wait()
        self._engine.close()

    def _on_ready(self, ready: Ready) -> None:
        self.facts, self.load_s = ready.facts, ready.load_s
        self._listener.on_ready(ready)
        self._set("ready")

    def _deliver(self, messages: Sequence[Reply | BatchDone]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_messages, messages)

    def _on_messages(self, messages: Sequence[Reply | BatchDone]) -> None:
        for message in messages:
            if isinstance(message, BatchDone):
                self._listener.on_batch(message)
            elif (reply := self._pending.pop(message.id, None)) and not reply.done():
                reply.set_result(message)

    def _set(self, state: State, error: str = "") -> None:
        self.state, self.error = state, error
        self._listener.on_change()

    async def _beat(self) -> None:
        process = psutil.Process()
        while True:
            if self._engine:
                self.beat = Beat(*self._engine.queued(), process.memory_info().rss, used_cpu_s(process))
                self._listener.on_change()
            await asyncio.sleep(tuning.BEAT_S)
