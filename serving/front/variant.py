"""One served variant as the front sees it: a gate, and workers behind it."""

import asyncio
import itertools
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from handlers.payloads.request import RawRequest
from model_store.errors import DeadlineExceeded, NotReady, Overloaded, WorkerFailed
from serving.cpu_plan import CpuPlan
from serving.front.admission import Gate
from serving.front.link import Link, Listener, Pending
from serving.front.metrics import VariantMetrics
from serving.front.quarantine import DEADLY, Quarantine
from serving.front.settings import Settings, VariantSpec
from serving.wire.messages import Ask, BatchDone, Ready, Reply

log = logging.getLogger("paretoserve.variant")

# How long a request may wait for the next worker where all workers have just ended.
STRANDED_S = 2.0

QUARANTINED = "Workers ended while they ran this request, so it is not tried again; ask something else."


class ServedVariant:
    def __init__(self, spec: VariantSpec, settings: Settings, plan: CpuPlan, metrics: VariantMetrics) -> None:
        self.name, self.backend = spec.name, spec.backend
        self.metrics = metrics
        self.draining = False
        self._plan = plan
        self._workers = settings.workers
        self._gate = Gate(settings.max_queue, settings.queue_deadline_s)
        self._quarantine = Quarantine()
        self._ids = itertools.count()
        # Orphans for which no worker is ready at this moment, where there are several.
        self._stranded: list[Pending] = []
        listener = Listener(
            self._on_ready, self._on_batch, self._on_change, metrics.worker_restarts.inc, self._on_orphans
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
            DeadlineExceeded: `timeout_s` passed first.
            WorkerFailed: two workers died while they ran it, now or before.
        """
        ready = [link for link in self._links if link.state == "ready"]
        if self.draining or not ready:
            raise self._not_ready()
        deaths = self._quarantine.deaths(request)
        if deaths >= DEADLY:
            self.metrics.refused("quarantined")
            raise WorkerFailed(QUARANTINED)
        try:
            queue_by = self._gate.admit()
        except Overloaded as exc:
            self.metrics.refused(exc.reason)
            raise
        ask = self._to_ask(request, queue_by, timeout_s, alone=deaths > 0)
        pending = Pending(request, ask, asyncio.get_running_loop().create_future())
        self.metrics.in_flight_requests.inc()
        try:
            _least_busy(ready).ask(pending)
            reply = await _within(timeout_s, pending.answer)
        finally:
            self._gate.leave()
            self.metrics.in_flight_requests.dec()
            for link in self._links:
                link.cancel(ask.id)  # where the client left, or its deadline passed, before the answer came
        if not reply.error:
            self._gate.answered(reply.tokens)
        if reply.error == Overloaded.__name__:
            self.metrics.refused("queue deadline")
        elif ask.alone and reply.error != DeadlineExceeded.__name__:
            self._quarantine.acquit(request)
        return reply

    def _to_ask(self, request: RawRequest, queue_by: float, timeout_s: float, alone: bool) -> Ask:
        return Ask(
            next(self._ids),
            request.body,
            request.content_type,
            request.accept,
            request.protocol,
            request.json_length,
            queue_by,
            time.monotonic() + timeout_s,
            alone,
        )

    def _not_ready(self) -> NotReady:
        if self.draining:
            return NotReady("The server is shutting down; ask another one.")
        link = self._links[0]
        why = link.error or "It is loading."
        return NotReady(f"Variant {self.name!r} is not ready. {why}", link.retry_after_s)

    def _on_ready(self, ready: Ready) -> None:
        self._gate.calibrate(ready.cost, ready.call_tokens, ready.streams * self._workers)

    def _on_batch(self, batch: BatchDone) -> None:
        self._gate.observe(batch.tokens, batch.busy_s)
        # Two turns of the event loop later: in the next one the answers of this batch leave.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._count, batch)

    def _count(self, batch: BatchDone) -> None:
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
        if self._stranded and any(link.state == "ready" for link in self._links):
            stranded, self._stranded = self._stranded, []
            for orphan in stranded:
                self._try_again(orphan)

    def _on_orphans(self, orphans: list[Pending], on_board: set[int]) -> None:
        """What was in a dead worker's hands goes to another worker, if one is ready, and if it is not to blame."""
        suspects = [orphan for orphan in orphans if orphan.ask.id in on_board]
        self._quarantine.accuse(suspect.request for suspect in suspects)
        for suspect in suspects:
            suspect.ask.queue_by = math.inf  # it had reached an engine in time
        for orphan in orphans:
            self._try_again(orphan)

    def _try_again(self, orphan: Pending) -> None:
        if orphan.answer.done():
            return
        deaths = self._quarantine.deaths(orphan.request)
        orphan.ask.alone = deaths > 0
        ready = [link for link in self._links if link.state == "ready"]
        if deaths >= DEADLY:
            log.error("a request of %s ended %d workers; it is not tried again", self.name, deaths)
            orphan.answer.set_exception(WorkerFailed(QUARANTINED))
        elif ready:
            _least_busy(ready).ask(orphan)
        elif self._workers > 1 and not self.draining:
            self._stranded.append(orphan)
            asyncio.get_running_loop().call_later(STRANDED_S, self._give_up, orphan)
        else:
            self._refuse(orphan)

    def _give_up(self, orphan: Pending) -> None:
        if orphan in self._stranded:
            self._stranded.remove(orphan)
            self._refuse(orphan)

    def _refuse(self, orphan: Pending) -> None:
        if not orphan.answer.done():
            retry_after_s = self._links[0].retry_after_s
            orphan.answer.set_exception(NotReady("The worker with this request ended; ask again.", retry_after_s))

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
                {
                    "state": one.state,
                    "error": one.error,
                    "pid": one.pid,
                    "start_s": round(one.start_s, 3),
                    "load_s": round(one.load_s, 3),
                }
                for one in self._links
            ],
            **link.facts,
        }


def _least_busy(links: list[Link]) -> Link:
    return min(links, key=lambda link: len(link.pending))


async def _within(timeout_s: float, answer: "asyncio.Future[Reply]") -> Reply:
    """The answer, by the client's own deadline where it has one."""
    if timeout_s == math.inf:  # a timer for every request would cost without use
        return await answer
    try:
        return await asyncio.wait_for(answer, timeout_s)
    except TimeoutError as exc:
        raise DeadlineExceeded("The deadline of this request passed before its answer was there.") from exc
