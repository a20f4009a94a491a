"""One served variant as the front sees it: a gate, and replicas behind it."""

import asyncio
import contextlib
import itertools
import logging
import math
import time
from collections.abc import Callable
from typing import Any

from handlers.payloads.request import RawRequest
from model_store.errors import BackendError, DeadlineExceeded, NotReady, Overloaded, WorkerFailed
from serving import tuning
from serving.front.admission import Gate
from serving.front.deadlines import Deadlines
from serving.front.metrics import VariantMetrics
from serving.front.quarantine import DEADLY, Quarantine
from serving.front.refusals import Refusal, Refused
from serving.front.replica import Listener, MakeReplica, Replica, ReplicaLost
from serving.front.settings import Settings, VariantSpec
from serving.wire.messages import Ask, BatchDone, Ready, Reply

log = logging.getLogger("paretoserve.variant")

QUARANTINED = "Workers ended while they ran this request, so it is not tried again; ask something else."


class ServedVariant:
    """Admits requests, and has each answered by the replica with the least in hand."""

    def __init__(
        self, spec: VariantSpec, settings: Settings, cpu_plan: str, metrics: VariantMetrics, make: MakeReplica
    ) -> None:
        self.name, self.backend = spec.name, spec.backend
        self.metrics = metrics
        self._cpu_plan = cpu_plan
        self.draining = False
        self._gate = Gate(settings.max_queue, settings.queue_deadline_s)
        self._quarantine = Quarantine()
        self._deadlines, self._execution_deadline_s = Deadlines(), settings.execution_deadline_s
        self._ids = itertools.count()
        # Who gets the parts of an answer, by the request; and the requests of which some were sent.
        self._on_parts: dict[int, Callable[[Reply], None]] = {}
        self._begun: set[int] = set()
        self._any_ready = asyncio.Event()
        self._changed = asyncio.Event()
        on_restart, on_death = metrics.worker_restarts.inc, self._quarantine.accuse
        listener = Listener(self._on_ready, self._on_batch, self._on_change, on_restart, on_death, self._on_part)
        self._replicas: list[Replica] = [make(spec, listener) for _ in range(settings.workers)]
        # What of their processor time is counted.
        self._cpu_s = [0.0] * len(self._replicas)
        self._running: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the replicas; they go on until stopped."""
        work = [self._deadlines.run(), *(replica.run() for replica in self._replicas)]
        self._running = [asyncio.create_task(one) for one in work]

    async def stop(self) -> None:
        """End the replicas, whatever they have in hand."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def drain(self) -> None:
        """Admit nothing more, and return once everything admitted is answered."""
        self.draining = True
        await self._gate.idle.wait()

    @property
    def ready(self) -> bool:
        return not self.draining and any(replica.state == "ready" for replica in self._replicas)

    async def until_loaded(self) -> None:
        """Until it is ready.

        Raises:
            BackendError: no worker can load it, or all ended while they did.
        """
        while not self._any_ready.is_set():
            if all(replica.state in ("failed", "ended") for replica in self._replicas):
                raise BackendError(self._replicas[0].error)
            self._changed.clear()
            await self._changed.wait()

    @property
    def pids(self) -> list[int]:
        """Of the processes that its workers run in, those that have one."""
        told = (replica.describe().get("pid") for replica in self._replicas)
        return [pid for pid in told if pid]

    def refusal(self) -> Refused | None:
        """Why a request that comes now would be refused, whatever it asks; None where it has to be looked at."""
        return self._gate.refusal()

    def tensors(self) -> dict[str, Any]:
        """The tensors by which V2 clients ask it, known before it is ready.

        Raises:
            NotReady: its worker has not told them yet.
        """
        told = next((replica.facts["v2"] for replica in self._replicas if "v2" in replica.facts), None)
        if told is None and not self.ready:
            raise self._not_ready()
        return dict(told or {"inputs": [], "outputs": []})

    async def ask(
        self, request: RawRequest, timeout_s: float = math.inf, on_part: Callable[[Reply], None] | None = None
    ) -> Reply:
        """Have a request answered; with `on_part` its answer may come in parts, and the reply has the rest.

        Raises:
            Refused: it was not admitted.
            NotReady: its worker ended, and there is no other one.
            DeadlineExceeded: `timeout_s`, or the server's own limit, passed first.
            WorkerFailed: two workers died while they ran it.
        """
        self._refuse_unless_ready()
        deaths = self._quarantine.deaths(request)
        if deaths >= DEADLY:
            raise Refused(Refusal.QUARANTINED, WorkerFailed(QUARANTINED))
        now = time.monotonic()
        ask = _ask(next(self._ids), request, self._gate.admit(), now)
        ask.expires, ask.isolated, ask.in_parts = now + timeout_s, deaths > 0, on_part is not None
        if on_part:
            self._on_parts[ask.id] = on_part
        self.metrics.in_flight_requests.inc()
        try:
            reply = await self._within(timeout_s, ask, now + self._execution_deadline_s)
        finally:
            self._gate.leave()
            self._on_parts.pop(ask.id, None)
            self._begun.discard(ask.id)
            self.metrics.in_flight_requests.dec()
        if not reply.error:
            self._gate.answered(reply.tokens, reply.bulk)
        if ask.isolated and reply.error not in (Overloaded.__name__, DeadlineExceeded.__name__):
            self._quarantine.acquit(ask)
        return reply

    def _refuse_unless_ready(self) -> None:
        if self.draining:
            raise Refused(Refusal.DRAINING, NotReady(f"Variant {self.name!r} is shutting down; ask another server."))
        if not self._any_ready.is_set():
            raise Refused(Refusal.NOT_READY, self._not_ready())

    def _not_ready(self) -> NotReady:
        first = self._replicas[0]
        message = f"Variant {self.name!r} is not ready. {first.error or 'It is loading.'}"
        return NotReady(message, first.retry_after_s)

    async def _within(self, timeout_s: float, ask: Ask, until: float) -> Reply:
        """The reply, by the client's own deadline where it has one."""
        if timeout_s == math.inf:  # a timer for every request would cost without use
            return await self._answered(ask, until)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._answered(ask, until)
        except TimeoutError as exc:
            raise DeadlineExceeded("The deadline of this request passed before its answer was there.") from exc

    async def _answered(self, ask: Ask, until: float) -> Reply:
        """The reply of one replica, or of another one where the first ends; DeadlineExceeded soon after `until`."""
        while True:
            replica = self._least_busy()
            try:
                answer = replica.ask(ask)
                self._deadlines.await_until(ask.id, until, answer)
                return await answer
            except ReplicaLost as lost:
                self._see_whether_deadly(ask, lost)
                if ask.id in self._begun:  # another worker would begin anew
                    raise NotReady("The worker with this request ended; ask again.") from lost
                await self._wait_for_another()
            finally:
                self._deadlines.forget(ask.id)
                replica.cancel(ask.id)  # where the client left, or its deadline passed, before the answer came

    def _least_busy(self) -> Replica:
        ready = [replica for replica in self._replicas if replica.state == "ready"]
        if not ready:
            retry_after_s = self._replicas[0].retry_after_s
            raise NotReady("The worker with this request ended; ask again.", retry_after_s)
        return ready[0] if len(ready) == 1 else min(ready, key=_in_hand)

    def _see_whether_deadly(self, ask: Ask, lost: ReplicaLost) -> None:
        deaths = self._quarantine.deaths(ask)
        if deaths >= DEADLY:
            log.error("a request of %s ended %d workers; it is not tried again", self.name, deaths)
            raise WorkerFailed(QUARANTINED) from lost
        ask.isolated = deaths > 0
        if lost.was_running:
            ask.queue_by = math.inf  # it had reached an engine in time

    async def _wait_for_another(self) -> None:
        """Until a replica is ready, for as long as one is to be expected."""
        if len(self._replicas) > 1 and not self.draining:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(tuning.STRANDED_S):
                    await self._any_ready.wait()

    def _on_part(self, part: Reply) -> None:
        if on_part := self._on_parts.get(part.id):
            self._begun.add(part.id)
            on_part(part)

    def _on_ready(self, ready: Ready) -> None:
        self._gate.calibrate(ready.cost, ready.call_tokens, ready.streams * len(self._replicas))

    def _on_batch(self, batch: BatchDone) -> None:
        self._gate.observe(batch.tokens, batch.busy_s)
        # Two turns of the event loop later: in the next one the answers of this batch leave.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._count, batch)

    def _count(self, batch: BatchDone) -> None:
        metrics = self.metrics
        metrics.batch_duration.observe(batch.batch_s)
        metrics.inference_duration.observe(batch.infer_s)
        metrics.encode_duration.observe(batch.encode_s)
        metrics.batch_requests.observe(batch.requests)
        metrics.batch_tokens.observe(batch.tokens)
        metrics.tokens.inc(batch.tokens)
        metrics.padding_tokens.inc(batch.padding_tokens)

    def _on_change(self) -> None:
        ready = sum(replica.state == "ready" for replica in self._replicas)
        (self._any_ready.set if ready else self._any_ready.clear)()
        self._changed.set()
        metrics = self.metrics
        metrics.worker_ready.set(ready)
        metrics.queue_tokens.set(sum(replica.beat.queued_tokens for replica in self._replicas))
        metrics.worker_resident_memory.set(sum(replica.beat.resident_bytes for replica in self._replicas))
        self._count_cpu()
        metrics.model_load_seconds.set(max(replica.load_s for replica in self._replicas))

    def _count_cpu(self) -> None:
        """One that was started again begins at 0."""
        used_s = [replica.beat.cpu_s for replica in self._replicas]
        fresh_s = [max(0.0, now - before) for now, before in zip(used_s, self._cpu_s, strict=True)]
        self.metrics.worker_cpu.inc(sum(fresh_s))
        self._cpu_s = used_s

    def describe(self) -> dict[str, Any]:
        """Its entry in `/variants`."""
        return {
            "name": self.name,
            "backend": self.backend,
            "ready": self.ready,
            "cpu_plan": self._cpu_plan,
            "max_queue": self._gate.max_queue,
            "queue_deadline_s": self._gate.queue_deadline_s,
            "workers": [replica.describe() for replica in self._replicas],
            **self._replicas[0].facts,
        }


def _ask(number: int, request: RawRequest, queue_by: float, now: float) -> Ask:
    """What a worker is asked, without a deadline of the client's."""
    told = request.content_type, request.accept, request.protocol, request.json_length
    headers = dict(request.headers)
    return Ask(
        number,
        request.body,
        *told,
        queue_by,
        math.inf,
        content_encoding=request.content_encoding,
        sent=now,
        headers=headers,
    )


def _in_hand(replica: Replica) -> int:
    return replica.in_hand
