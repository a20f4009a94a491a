"""A replica in a worker process: watched, and started anew when it ends, hangs or grows too large."""

import asyncio
import logging
import time
from typing import Any

from serving import tuning
from serving.cpu_plan import CpuPlan
from serving.front.channel import Channel
from serving.front.replica import Listener, MakeReplica, ReplicaLost, State
from serving.front.settings import Settings, VariantSpec
from serving.front.worker_process import WorkerProcess
from serving.wire.messages import Ask, BatchDone, Beat, Failed, Known, Ready, Reply, ToFront

log = logging.getLogger("paretoserve.supervisor")


def worker_processes(settings: Settings, plan: CpuPlan) -> MakeReplica:
    """Makes replicas in processes of their own, each with its share of the plan."""
    return lambda spec, listener: WorkerReplica(spec, settings, plan, listener)


class WorkerReplica:
    """See `serving.front.replica.Replica`. One process at a time, and the channel to it."""

    def __init__(self, spec: VariantSpec, settings: Settings, plan: CpuPlan, listener: Listener) -> None:
        self._spec, self._settings, self._plan, self._listener = spec, settings, plan, listener
        self._process: WorkerProcess | None = None
        self._channel: Channel | None = None
        self.state: State = "loading"
        self.error = ""
        self.facts: dict[str, Any] = {}
        self.load_s = 0.0
        self.beat = Beat()
        # What the process was at work on when its client left, and may be still.
        self._abandoned: dict[int, Ask] = {}
        self._started_at = self._ready_at = 0.0
        self._back_off_s = tuning.FIRST_BACK_OFF_S

    @property
    def in_hand(self) -> int:
        return len(self._channel.pending) if self._channel else 0

    @property
    def retry_after_s(self) -> float:
        return max(1.0, self._back_off_s)

    def describe(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "error": self.error,
            "pid": self._process.pid if self._process else None,
            # From the start of the process that runs now until it was ready; 0 where it is not.
            "start_s": round(max(0.0, self._ready_at - self._started_at), 3),
            "load_s": round(self.load_s, 3),
        }

    def ask(self, ask: Ask) -> "asyncio.Future[Reply]":
        assert self._channel is not None, "this is a bug: only ready replicas are asked"
        return self._channel.ask(ask)

    def cancel(self, request_id: int) -> None:
        if self._channel and self._process and (ask := self._channel.cancel(request_id)):
            running = self._process.black_box.running()
            left = self._abandoned | {request_id: ask}
            self._abandoned = {number: one for number, one in left.items() if number in running}

    async def run(self) -> None:
        try:
            while True:
                await self._run_once()
                self._listener.on_restart()
                await asyncio.sleep(self._back_off_s)
                self._back_off_s = min(2 * self._back_off_s, tuning.LAST_BACK_OFF_S)
        finally:
            if self._process and self._channel:
                await self._end(self._process, self._channel)
                self._lose_all(self._process, self._channel)
            self._set("ended", self.error)

    async def _run_once(self) -> None:
        try:
            process, channel = await self._start()
        except OSError as exc:
            self._set("failed", f"Its worker cannot be started: {exc.strerror}; see that its interpreter is there.")
            log.exception("worker of %s: cannot run %s", self._spec.name, self._spec.python)
            return
        watch = asyncio.create_task(self._watch(process, channel))
        try:
            await _until_lost(process, channel)
        finally:
            watch.cancel()
        process.fault = process.fault or channel.fault
        if self.state != "failed":
            # At once, so that nothing more is asked of it while its process ends.
            self._set("ended", self.error or "Its worker ended and is being started again.")
        await self._end(process, channel)
        was_ready = self._ready_at > self._started_at
        if was_ready and time.monotonic() - self._ready_at > tuning.HEALTHY_AFTER_S:
            self._back_off_s = tuning.FIRST_BACK_OFF_S
        how = process.how_it_ended
        log.warning("worker of %s %s; next start in %.1f s", self._spec.name, how, self._back_off_s)
        if self.state != "failed":
            self._set("ended", f"Its worker {how} and is being started again.")
        self._lose_all(process, channel)

    async def _start(self) -> tuple[WorkerProcess, Channel]:
        process, connection = await WorkerProcess.start(self._spec, self._settings, self._plan)
        channel = Channel(self._on_message)
        self._process, self._channel = process, channel
        # Why the last one ended stays on record until this one is ready.
        self._set("loading", self.error)
        self._started_at = time.monotonic()
        await channel.open(connection)
        return process, channel

    def _on_message(self, message: ToFront) -> None:
        match message:
            case BatchDone():
                self._listener.on_batch(message)
            case Reply():  # another one with the same id follows
                self._listener.on_part(message)
            case Beat():
                self.beat = message
                self._listener.on_change()
            case Known():
                # What was loaded before says more, and stays.
                self.facts = message.facts | self.facts
            case Ready():
                self.facts, self.load_s, self._ready_at = message.facts, message.load_s, time.monotonic()
                self._listener.on_ready(message)
                self._set("ready")
                log.info("%s is ready after %.1f s", self._spec.name, self.load_s)
            case Failed():
                self._set("failed", message.message)
                log.error("%s cannot be served: %s", self._spec.name, message.message)

    def _set(self, state: State, error: str = "") -> None:
        self.state, self.error = state, error
        self._listener.on_change()

    async def _watch(self, process: WorkerProcess, channel: Channel) -> None:
        """End the worker when it hangs (it loads for too long, one call takes too long, it is silent) or has grown."""
        while True:
            await asyncio.sleep(tuning.WATCH_S)
            if why := self._is_stuck(process, channel, time.monotonic()):
                log.error("worker of %s hangs (%s); ending it", self._spec.name, why)
                process.kill(why)
            elif self.state == "ready" and (size := self._excess()):
                log.error("worker of %s is ended: %s", self._spec.name, size)
                process.fault = size
                # Nothing more is asked of it; what it has in hand it may finish.
                self._set("ended", f"Its worker {process.how_it_ended} and is being started again.")
                await channel.until_answered(tuning.RETIRE_S)
                process.kill()

    def _is_stuck(self, process: WorkerProcess, channel: Channel, now: float) -> str:
        """Why the worker is believed to hang; empty where it is not."""
        settings = self._settings
        if self.state == "loading":
            return "it does not finish loading" if now - self._started_at > settings.load_timeout_s else ""
        # A worker of one stream sends nothing while it is at work.
        if at_work_s := process.black_box.oldest_s(now):
            channel.heard_at = now
            return "it does not finish a request" if at_work_s > settings.hang_timeout_s else ""
        return "it is silent" if now - channel.heard_at > tuning.SILENCE_S else ""

    def _excess(self) -> str:
        """How far the worker is over the memory limit; empty where it is not."""
        limit_mib, resident_mib = self._settings.memory_limit_mib, self.beat.resident_bytes / 2**20
        if limit_mib is None or resident_mib <= limit_mib:
            return ""
        return f"it had {resident_mib:.0f} MiB of memory, over the limit of {limit_mib} MiB"

    async def _end(self, process: WorkerProcess, channel: Channel) -> None:
        channel.close()
        self.beat = Beat()
        if self.state == "loading":  # it would not notice before it has loaded
            process.kill()
        await process.end()

    def _lose_all(self, process: WorkerProcess, channel: Channel) -> None:
        """Report what the process was running when it ended; then every future that is left raises ReplicaLost."""
        running = process.black_box.running()
        process.black_box.close()
        lost, abandoned = channel.pending, self._abandoned
        channel.pending, self._abandoned, self._channel = {}, {}, None
        asks = [*(ask for ask, _ in lost.values()), *abandoned.values()]
        self._listener.on_death([ask for ask in asks if ask.id in running])
        for ask, reply in lost.values():
            if not reply.done():
                reply.set_exception(ReplicaLost(ask.id in running))


async def _until_lost(process: WorkerProcess, channel: Channel) -> None:
    """Until the process has ended or its socket is closed, whichever is first, and what it last said is read.

    A child of the worker may hold the socket open, and a worker that has ended may not be waited for any more.
    """
    ended = asyncio.create_task(process.wait())
    lost = asyncio.create_task(channel.lost.wait())
    try:
        await asyncio.wait([ended, lost], return_when=asyncio.FIRST_COMPLETED)
        if not lost.done():
            process.kill()
            await asyncio.wait([lost], timeout=tuning.LAST_WORDS_S)
    finally:
        ended.cancel()
        lost.cancel()
