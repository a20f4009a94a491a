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

from handlers.payloads.request import RawRequest
from serving.cpu_plan import CpuPlan
from serving.front.settings import Settings, VariantSpec
from serving.wire.black_box import BlackBox
from serving.wire.messages import (
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
    slots_of,
)

log = logging.getLogger("paretoserve.supervisor")

FIRST_BACK_OFF_S, LAST_BACK_OFF_S = 0.1, 30.0
# A worker that has been ready this long starts again without delay when it ends.
HEALTHY_AFTER_S = 60.0
# A worker beats twice a second; one that is silent for this long hangs outside its engine.
SILENCE_S = 10.0
WATCH_S = 0.5
# How long a worker that has grown too large may take to finish what it has in hand.
RETIRE_S = 5.0
# What is run as a worker; for a backend that is a server of its own, a bridge to it.
OWN_WORKER, BRIDGES = "serving.worker.process", {"torchserve": "serving.torchserve.bridge"}


@dataclass(slots=True)
class Pending:
    """A request in a worker's hands."""

    request: RawRequest
    ask: Ask
    answer: asyncio.Future[Reply]


@dataclass(frozen=True, slots=True)
class Listener:
    """Whom a link tells of what happens. All are called on the event loop.

    Orphans are what a worker left unanswered, with the ids of those that it was working on when it died.
    """

    on_ready: Callable[[Ready], None]
    on_batch: Callable[[BatchDone], None]
    on_change: Callable[[], None]
    on_restart: Callable[[], None]
    on_orphans: Callable[[list[Pending], set[int]], None]


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
        self.beat = Beat()
        self._black_box: BlackBox | None = None
        self.pending: dict[int, Pending] = {}
        # What the worker was at work on when its client left, and may be still.
        self._abandoned: dict[int, Pending] = {}
        self._fault = ""  # why it had to be ended
        self._heard_at = self._started_at = self._ready_at = 0.0
        self._back_off_s = FIRST_BACK_OFF_S

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def start_s(self) -> float:
        """From the start of the process that runs now until it was ready; 0 where it is not."""
        return max(0.0, self._ready_at - self._started_at)

    @property
    def retry_after_s(self) -> float:
        """When it may be worth asking again while the worker is not ready."""
        return max(1.0, self._back_off_s)

    def ask(self, pending: Pending) -> None:
        self.pending[pending.ask.id] = pending
        self._write(pending.ask)

    def cancel(self, request_id: int) -> None:
        if pending := self.pending.pop(request_id, None):
            self._write(Cancel(request_id))
            on_board = self._black_box.on_board() if self._black_box else set()
            left = self._abandoned | {request_id: pending}
            self._abandoned = {number: one for number, one in left.items() if number in on_board}

    def _write(self, message: ToWorker) -> None:
        assert self._transport is not None, "this is a bug: only ready workers are asked"
        # Of a worker that has just ended this is noticed a moment later: what it was asked is among its orphans.
        if not self._transport.is_closing():
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
        log.warning("worker of %s %s; next start in %.1f s", self._spec.name, self._how(), self._back_off_s)
        if self.state != "failed":
            self._set("ended", f"Its worker {self._how()} and is being started again.")
        orphans = [*self.pending.values(), *self._abandoned.values()]
        self.pending, self._abandoned = {}, {}
        self._listener.on_orphans(orphans, self._read_black_box())

    def _read_black_box(self) -> set[int]:
        if self._black_box is None:
            return set()
        on_board = self._black_box.on_board()
        self._black_box.close()
        self._black_box = None
        return on_board

    async def _start(self) -> asyncio.Event:
        """Start a worker; the event is set when it is gone."""
        slots = slots_of(self._plan.splits)
        black_box_fd = BlackBox.make_file(slots)
        ours, theirs = socket.socketpair()
        lost = asyncio.Event()
        try:
            self._process = await self._spawn(theirs.fileno(), black_box_fd)
            self._black_box = BlackBox(black_box_fd, slots)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(black_box_fd)
        self._fault = ""
        # Why the last one ended stays on record until this one is ready.
        self._set("loading", self.error)
        self._started_at = self._heard_at = time.monotonic()
        frames = Frames(front_side_decoder(), self._on_message, lost.set)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(lambda: frames, sock=ours)
        return lost

    async def _spawn(self, connection_fd: int, black_box_fd: int) -> asyncio.subprocess.Process:
        config = WorkerConfig(
            name=self._spec.name,
            model_dir=str(self._spec.folder),
            backend=self._spec.backend,
            splits=self._plan.splits,
            batch_tokens=self._settings.batch_tokens,
            black_box_fd=black_box_fd,
            log_format=self._settings.log_format,
            log_level=self._settings.log_level,
        )
        # The engines are told how many threads to use; whatever else is loaded must not take more either.
        threads = str(max(split.threads_per_stream for split in self._plan.splits))
        return await asyncio.create_subprocess_exec(
            self._spec.python,
            "-P",  # a folder named like one of our packages, where the server was started, must not be imported
            "-m",
            BRIDGES.get(self._spec.backend, OWN_WORKER),
            str(connection_fd),
            msgspec.json.encode(config).decode(),
            pass_fds=[connection_fd, black_box_fd],
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
                self._listener.on_ready(message)
                self._set("ready")
                log.info("%s is ready after %.1f s", self._spec.name, self.load_s)
            case Failed():
                self._set("failed", message.message)
                log.error("%s cannot be served: %s", self._spec.name, message.message)

    def _set(self, state: str, error: str = "") -> None:
        self.state, self.error = state, error
        self._listener.on_change()

    async def _watch(self) -> None:
        """End the worker when it hangs (it loads for too long, one call takes too long, it is silent) or has grown."""
        while True:
            await asyncio.sleep(WATCH_S)
            if why := self._is_stuck(time.monotonic()):
                log.error("worker of %s hangs (%s); ending it", self._spec.name, why)
                self._fault = why
                self._kill()
            elif self.state == "ready" and (size := self._excess()):
                log.error("worker of %s is ended: %s", self._spec.name, size)
                self._fault = size
                # Nothing more is asked of it; what it has in hand it may finish.
                self._set("ended", f"Its worker {self._how()} and is being started again.")
                if self.pending:
                    await asyncio.wait([pending.answer for pending in self.pending.values()], timeout=RETIRE_S)
                self._kill()

    def _is_stuck(self, now: float) -> str:
        """Why the worker is believed to hang; empty where it is not."""
        settings = self._settings
        if self.state == "loading":
            return "it does not finish loading" if now - self._started_at > settings.load_timeout_s else ""
        # A worker of one stream says nothing while it is at work.
        if at_work_s := self._black_box.oldest_s(now) if self._black_box else 0.0:
            self._heard_at = now
            return "it does not finish a request" if at_work_s > settings.hang_timeout_s else ""
        return "it is silent" if now - self._heard_at > SILENCE_S else ""

    def _excess(self) -> str:
        """What is said of a worker over the memory limit; empty where it is not."""
        limit_mib, resident_mib = self._settings.memory_limit_mib, self.beat.resident_bytes / 2**20
        if limit_mib is None or resident_mib <= limit_mib:
            return ""
        return f"it had {resident_mib:.0f} MiB of memory, over the limit of {limit_mib} MiB"

    def _kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGKILL)

    async def _end(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self.beat = Beat()
        if self._process is not None:
            # A worker ends by itself when its socket closes; one that loads, or is stuck in an engine, does not.
            if self.state == "loading":
                self._kill()
            try:
                await asyncio.wait_for(self._process.wait(), 2.0)
            except TimeoutError:
                self._kill()
                await self._process.wait()

    def _how(self) -> str:
        if self._fault:
            return f"was ended ({self._fault})"
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"ended (by signal {signal.Signals(-code).name})"
        return f"ended (with exit code {code})"
