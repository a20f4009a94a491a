"""The front's end of one worker process: start it, talk to it, watch it, and start it anew when it ends."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from model_store.errors import NotReady, WorkerFailed
from serving.cost import Cost
from serving.cpu_plan import CpuPlan
from serving.settings import Settings, VariantSpec
from serving.wire import (
    Ask,
    BatchDone,
    Beat,
    Cancel,
    Failed,
    Frames,
    Ready,
    Reply,
    ToFront,
    ToWorker,
    WorkerConfig,
    frame,
    front_side_decoder,
)

log = logging.getLogger("paretoserve.supervisor")

FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 0.1, 30.0
# A worker that has been ready this long starts again without delay when it ends.
HEALTHY_AFTER_S = 60.0
# A worker beats twice a second; one that is silent for this long hangs outside its engine.
SILENCE_S = 10.0


@dataclass(slots=True)
class Pending:
    """A request in a worker's hands, and how many workers have died with it."""

    ask: Ask
    answer: asyncio.Future[Reply]
    deaths: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a link tells of what happens. All are called on the event loop."""

    on_cost: Callable[[Cost, int], None]
    on_batch: Callable[[BatchDone], None]
    on_change: Callable[[], None]
    on_restart: Callable[[], None]
    on_orphans: Callable[[list[Pending]], None]


class Link:
    """One worker. `pending` holds what it has not answered; `state` is loading, ready, failed or ended."""

    def __init__(self, spec: VariantSpec, settings: Settings, plan: CpuPlan, listener: Listener) -> None:
        self._spec, self._settings, self._plan, self._listener = spec, settings, plan, listener
        self._transport: asyncio.WriteTransport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.state = "loading"
        self.error = ""
        self.facts: dict[str, Any] = {}
        self.load_s = 0.0
        self.beat = Beat(0, 0, 0.0, 0)
        self.pending: dict[int, Pending] = {}
        self._heard_at = self._started_at = self._ready_at = 0.0
        self._back_off_s = FIRST_BACK_OFF_S

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def retry_after_s(self) -> float:
        """When it may be worth asking again while the worker is not ready."""
        return max(1.0, self._back_off_s)

    def ask(self, pending: Pending) -> None:
        self.pending[pending.ask.id] = pending
        self._write(pending.ask)

    def cancel(self, request_id: int) -> None:
        if self.pending.pop(request_id, None):
            self._write(Cancel(request_id))

    def _write(self, message: ToWorker) -> None:
        assert self._transport is not None, "this is a bug: only ready workers are asked"
        self._transport.write(frame(message))

    async def supervise(self) -> None:
        """Keep one worker running until cancelled."""
        try:
            while True:
                await self._run_once()
                self._listener.on_restart()
                await asyncio.sleep(self._back_off_s)
                self._back_off_s = min(2 * self._back_off_s, LAST_BACK_OFF_S)
        finally:
            await self._end()

    async def _run_once(self) -> None:
        try:
            lost = await self._start()
        except OSError as exc:
            self._set("failed", f"Its worker cannot be started: {exc.strerror}; see that its interpreter is there.")
            log.exception("worker of %s: cannot run %s", self._spec.name, self._spec.python)
            return
        watch = asyncio.create_task(self._watch())
        try:
            await lost.wait()
        finally:
            watch.cancel()
        if self.state != "failed":
            # At once, so that nothing more is asked of it while its process ends.
            self._set("ended", self.error or "Its worker ended and is being started again.")
        await self._end()
        was_ready = self._ready_at > self._started_at
        if was_ready and time.monotonic() - self._ready_at > HEALTHY_AFTER_S:
            self._back_off_s = FIRST_BACK_OFF_S
        log.warning("worker of %s ended (%s); next start in %.1f s", self._spec.name, self._how(), self._back_off_s)
        if self.state != "failed":
            self._set("ended", f"Its worker ended ({self._how()}) and is being started again.")
        orphans, self.pending = list(self.pending.values()), {}
        self._listener.on_orphans(orphans)

    async def _start(self) -> asyncio.Event:
        """Start a worker; the event is set when it is gone."""
        ours, theirs = socket.socketpair()
        lost = asyncio.Event()
        with theirs:
            try:
                self._process = await self._spawn(theirs)
            except OSError:
                ours.close()
                raise
        # Why the last one ended stays on record until this one is ready.
        self._set("loading", self.error)
        self._started_at = self._heard_at = time.monotonic()
        frames = Frames(front_side_decoder(), self._on_message, lost.set)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: frames, sock=ours)
        return lost

    async def _spawn(self, theirs: socket.socket) -> asyncio.subprocess.Process:
        plan = self._plan
        config = WorkerConfig(
            name=self._spec.name,
            model_dir=str(self._spec.folder),
            backend=self._spec.backend,
            streams=plan.streams,
            threads_per_stream=plan.threads_per_stream,
            batch_tokens=self._settings.batch_tokens,
        )
        threads = str(plan.threads_per_stream)
        return await asyncio.create_subprocess_exec(
            self._spec.python,
            "-P",  # a folder named like one of our packages, where the server was started, must not be imported
            "-m",
            "serving.worker",
            str(theirs.fileno()),
            msgspec.json.encode(config).decode(),
            pass_fds=[theirs.fileno()],
            env={
                **os.environ,
                "OMP_NUM_THREADS": threads,
                "MKL_NUM_THREADS": threads,
                "TOKENIZERS_PARALLELISM": "false",
            },
            # Ctrl-C in a terminal is for the front, which then drains its workers.
            start_new_session=True,
        )

    def _on_message(self, message: ToFront) -> None:
        self._heard_at = time.monotonic()
        match message:
            case Reply():
                pending = self.pending.pop(message.id, None)
                if pending and not pending.answer.done():
                    pending.answer.set_result(message)
            case BatchDone():
                self._listener.on_batch(message)
            case Beat():
                self.beat = message
                self._listener.on_change()
            case Ready():
                self.facts, self.load_s, self._ready_at = message.facts, message.load_s, self._heard_at
                self._listener.on_cost(message.cost, message.call_tokens)
                self._set("ready")
                log.info("%s is ready after %.1f s", self._spec.name, self.load_s)
            case Failed():
                self._set("failed", message.message)
                log.error("%s cannot be served: %s", self._spec.name, message.message)

    def _set(self, state: str, error: str = "") -> None:
        self.state, self.error = state, error
        self._listener.on_change()

    async def _watch(self) -> None:
        """End the worker when it hangs: it loads for too long, one call takes too long, or it is silent."""
        while True:
            await asyncio.sleep(0.5)
            now, settings = time.monotonic(), self._settings
            loads_too_long = self.state == "loading" and now - self._started_at > settings.load_timeout_s
            hangs = self.beat.running_s > settings.hang_timeout_s or now - self._heard_at > SILENCE_S
            if loads_too_long or (self.state == "ready" and hangs):
                log.error("worker of %s hangs; ending it", self._spec.name)
                self._kill()

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self.beat = Beat(0, 0, 0.0, 0)
        if self._process is not None:
            # A worker ends by itself when its socket closes; one that is stuck in an engine does not.
            try:
                await asyncio.wait_for(self._process.wait(), 2.0)
            except TimeoutError:
                self._kill()
                await self._process.wait()

    def _how(self) -> str:
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"by signal {signal.Signals(-code).name}"
        return f"with exit code {code}"


def fail_orphan(orphan: Pending, retry_after_s: float) -> None:
    """Answer a request whose worker died and that nobody else can take."""
    if orphan.answer.done():
        return
    if orphan.deaths > 1:
        orphan.answer.set_exception(WorkerFailed("Two workers ended while they ran this request."))
    else:
        orphan.answer.set_exception(NotReady("The worker with this request ended; ask again.", retry_after_s))
