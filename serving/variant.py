"""One served variant as the front sees it: a gate, and workers behind it."""

import asyncio
import itertools
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from handlers.handler import RawRequest
from model_store.errors import NotReady, Overloaded
from serving.admission import Gate
from serving.cpu_plan import CpuPlan
from serving.link import Link, Listener, Pending, fail_orphan
from serving.metrics import VariantMetrics
from serving.settings import Settings, VariantSpec
from serving.wire import Ask, BatchDone, Reply


class ServedVariant:
    def __init__(self, spec: VariantSpec, settings: Settings, plan: CpuPlan, metrics: VariantMetrics) -> None:
        self.name, self.backend = spec.name, spec.backend
        self.metrics = metrics
        self.draining = False
        self._plan = plan
        self._gate = Gate(settings.max_queue, settings.queue_deadline_s, plan.streams * settings.workers)
        self._ids = itertools.count()
        listener = Listener(
            self._gate.calibrate, self._on_batch, self._on_change, metrics.worker_restarts.inc, self._on_orphans
        )
        self._links = [Link(spec, settings, plan, listener) for _ in range(settings.workers)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the workers running; at the end they are ended."""
        tasks = [asyncio.create_task(link.supervise()) for link in self._links]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def ready(self) -> bool:
        return not self.draining and any(link.state == "ready" for link in self._links)

    async def drain(self) -> None:
        """Admit nothing more, and return once everything admitted is answered."""
        self.draining = True
        await self._gate.idle.wait()

    async def ask(self, request: RawRequest, timeout_s: float = math.inf) -> Reply:
        """Have a request answered.

        Raises:
            NotReady, Overloaded: it was not admitted.
            WorkerFailed: two workers died with it.
        """
        ready = [link for link in self._links if link.state == "ready"]
        if self.draining or not ready:
            raise self._not_ready()
        try:
            queue_by = self._gate.admit()
        except Overloaded as exc:
            self.metrics.refused(exc.reason)
            raise
        pending = Pending(self._to_ask(request, queue_by, timeout_s), asyncio.get_running_loop().create_future())
        self.metrics.in_flight_requests.inc()
        try:
            min(ready, key=lambda link: len(link.pending)).ask(pending)
            reply = await pending.answer
        finally:
            self._gate.leave()
            self.metrics.in_flight_requests.dec()
            for link in self._links:
                link.cancel(pending.ask.id)  # where the client left before the answer came
        if not reply.error:
            self._gate.answered(reply.tokens)
        if reply.error == Overloaded.__name__:
            self.metrics.refused("queue deadline")
        return reply

    def _to_ask(self, request: RawRequest, queue_by: float, timeout_s: float) -> Ask:
        return Ask(
            next(self._ids),
            request.body,
            request.content_type,
            request.accept,
            request.protocol,
            request.json_length,
            queue_by,
            time.monotonic() + timeout_s,
        )

    def _not_ready(self) -> NotReady:
        if self.draining:
            return NotReady("The server is shutting down; ask another one.")
        link = self._links[0]
        why = link.error or "It is loading."
        return NotReady(f"Variant {self.name!r} is not ready. {why}", link.retry_after_s)

    def _on_batch(self, batch: BatchDone) -> None:
        self._gate.observe(batch.tokens, batch.busy_s)
        metrics = self.metrics
        metrics.inference_duration.observe(batch.infer_s)
        metrics.batch_requests.observe(batch.requests)
        metrics.batch_tokens.observe(batch.tokens)
        metrics.tokens.inc(batch.tokens)
        metrics.padding_tokens.inc(batch.padding_tokens)

    def _on_change(self) -> None:
        metrics = self.metrics
        metrics.worker_ready.set(sum(link.state == "ready" for link in self._links))
        metrics.queue_tokens.set(sum(link.beat.queued_tokens for link in self._links))
        metrics.worker_resident_memory.set(sum(link.beat.resident_bytes for link in self._links))
        metrics.model_load_seconds.set(max(link.load_s for link in self._links))

    def _on_orphans(self, orphans: list[Pending]) -> None:
        """What was in a dead worker's hands is tried once more by another worker, if one is ready."""
        ready = [link for link in self._links if link.state == "ready"]
        for orphan in orphans:
            orphan.deaths += 1
            if orphan.answer.done():
                continue
            if ready and orphan.deaths < 2:
                min(ready, key=lambda link: len(link.pending)).ask(orphan)
            else:
                fail_orphan(orphan, self._links[0].retry_after_s)

    def describe(self) -> dict[str, Any]:
        """What `/variants` says of it."""
        link = self._links[0]
        return {
            "name": self.name,
            "backend": self.backend,
            "ready": self.ready,
            "cpu_plan": str(self._plan),
            "max_queue": self._gate.max_queue,
            "queue_deadline_s": self._gate.queue_deadline_s,
            "workers": [
                {"state": one.state, "error": one.error, "pid": one.pid, "load_s": round(one.load_s, 3)}
                for one in self._links
            ],
            **link.facts,
        }
