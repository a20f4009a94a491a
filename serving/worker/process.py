"""A worker process: hosts one engine, asked over the socket that it was started with.

Run as `python -m serving.worker.process FD CONFIG_JSON`. It ends when the front is gone.
"""

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import msgspec
import psutil
import uvloop

from handlers.backends.catalogue import has_own_memory
from handlers.user_code import UserCode
from model_store.errors import ParetoServeError
from serving.cpu_plan import StreamSplit
from serving.free_memory import give_back_now_and_then, map_large_blocks
from serving.logs import configure_logs, place_of
from serving.processor_time import used_cpu_s
from serving.wire.black_box import BlackBox
from serving.wire.messages import (
    DECODERS,
    Beat,
    Cancel,
    Failed,
    Frames,
    Known,
    Ready,
    Reply,
    ToFront,
    ToWorker,
    WorkerConfig,
    frame,
    slots_of,
    worker_side_decoder,
)
from serving.worker.engine import Engine
from serving.worker.known import facts_before_loading
from serving.worker.loading import Loaded
from serving.worker.start import load_variant

log = logging.getLogger("paretoserve.worker")

UNSENDABLE = "Internal error with this answer; the server's log has the details."

# Seconds after which a thread that runs must let another one have the interpreter, if that waits for it: the one with
# the engine waits as long, each time, while others decode.
_SWITCH_S = 0.0005


class Worker:
    """Hands the front's requests to the engine and its replies to the front, on one event loop.

    With one stream and one thread the engine runs on this event loop: on one core nothing could go on beside it, and no
    request or answer has to be handed from thread to thread.
    """

    def __init__(self, loaded: Loaded, black_box: BlackBox, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._thread = loop, threading.get_ident()
        self._transport: asyncio.WriteTransport | None = None
        # A user's functions may need a thread that they can block or run a loop on.
        inline = loaded.split == StreamSplit(1, 1) and loaded.handler.user == UserCode()
        self._woken = False
        self._engine = Engine(
            loaded, self._deliver, black_box, wake=self._wake if inline else None, decoders=DECODERS - 1
        )

    async def run(self, connection: socket.socket, ready: Ready, beat_s: float) -> None:
        frames = Frames(worker_side_decoder(), self._on_message, lambda: os._exit(0))
        self._transport, _ = await self._loop.create_connection(lambda: frames, sock=connection)
        self._send([ready])
        process = psutil.Process()
        self._giving_back = self._loop.create_task(give_back_now_and_then())
        while True:
            self._send([Beat(*self._engine.queued(), process.memory_info().rss, used_cpu_s(process))])
            await asyncio.sleep(beat_s)

    def _on_message(self, message: ToWorker) -> None:
        if isinstance(message, Cancel):
            self._engine.cancel(message.id)
        else:
            self._engine.ask(message)

    def _wake(self) -> None:
        """Run the engine once everything that has arrived by now is queued."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._wake)
        elif not self._woken:
            self._woken = True
            self._loop.call_soon(self._run_next)

    def _run_next(self) -> None:
        self._woken = False
        try:
            ran = self._engine.run_next()
        except Exception as exc:  # noqa: BLE001  as on a thread of its own
            _die(exc)
        if ran:
            self._wake()

    def _deliver(self, messages: Sequence[ToFront]) -> None:
        if threading.get_ident() == self._thread:
            self._send(messages)
        else:
            self._loop.call_soon_threadsafe(self._send, messages)

    def _send(self, messages: Sequence[ToFront]) -> None:
        assert self._transport is not None, "this is a bug: nothing is sent before the connection is up"
        now = time.monotonic()
        for message in messages:
            if type(message) is Reply:
                message.timings.encoded(now)
        self._transport.write(b"".join([_framed(message) for message in messages]))


def _framed(message: ToFront) -> bytes:
    try:
        return frame(message)
    except (TypeError, ValueError, OverflowError) as exc:
        if not isinstance(message, Reply):
            raise
        log.error("a reply cannot be sent: this is a bug", extra={"exception": place_of(exc)})  # noqa: TRY400
        return frame(Reply(message.id, error=ParetoServeError.__name__, message=UNSENDABLE))


def _die(error: BaseException | None) -> NoReturn:
    """A stream that met a bug must not leave a worker that looks alive: end it, the supervisor starts another."""
    place = place_of(error) if error else ""
    log.critical("a stream of the worker failed: this is a bug", extra={"exception": place})
    os._exit(70)


def _load(config: WorkerConfig, connection: socket.socket) -> tuple[Loaded, Ready] | None:
    """Load the variant; where that cannot be done, send the front the reason and return None."""
    try:
        _tell(connection, Known(facts_before_loading(Path(config.model_dir))))
        return load_variant(
            Path(config.model_dir),
            config.backend,
            config.splits,
            config.batch_tokens,
            cores=config.cores,
            served_as=config.name,
            limits=config.limits,
            keeps_calibration=config.keeps_calibration,
            install=config.install_requirements,
        )
    except ParetoServeError as exc:
        _tell(connection, Failed(type(exc).__name__, str(exc)))
        return None


def _tell(connection: socket.socket, message: ToFront) -> None:
    with contextlib.suppress(BrokenPipeError):  # the front is gone, and nobody wants to know
        connection.sendall(frame(message))


def main() -> None:
    config = msgspec.json.decode(sys.argv[2], type=WorkerConfig)
    configure_logs(config.log_format, config.log_level, {"variant": config.name, "pid": os.getpid()})
    sys.setswitchinterval(_SWITCH_S)
    threading.excepthook = lambda arguments: _die(arguments.exc_value)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        started = _load(config, connection)
        if started is None:
            return
        loaded, ready = started
        if has_own_memory(config.backend) and loaded.handler.batches:
            map_large_blocks()
        # What is loaded stays; looking through it for garbage would only fill the caches with it.
        gc.collect()
        gc.freeze()
        black_box = BlackBox(config.black_box_fd, slots_of(config.splits))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            worker = Worker(loaded, black_box, runner.get_loop())
            runner.run(worker.run(connection, ready, config.beat_s))


if __name__ == "__main__":
    main()
