"""A worker process: one variant on one engine, asked over the socket that it was started with.

Run as `python -m serving.worker.process FD CONFIG_JSON`. Its event loop reads requests and decodes small ones; stream
threads call the engine. It ends when the front is gone.
"""

import asyncio
import contextlib
import gc
import itertools
import logging
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import msgspec
import psutil
import uvloop

from handlers.inferred import manifest_of
from handlers.user_code import UserCode
from model_store.errors import ParetoServeError
from serving.cpu_plan import Split
from serving.logs import configure_logs, place_of
from serving.wire.black_box import BlackBox
from serving.wire.messages import (
    DECODERS,
    Ask,
    Beat,
    Cancel,
    Failed,
    Frames,
    Ready,
    ToFront,
    ToWorker,
    WorkerConfig,
    frame,
    slots_of,
)
from serving.wire.messages import worker_side_decoder as decoder
from serving.worker.decoding import decode
from serving.worker.facts import facts_of
from serving.worker.loading import Loaded, load_fastest
from serving.worker.streams import Job, Streams

log = logging.getLogger("paretoserve.worker")

# A body up to this size is decoded and tokenized on the event loop: that takes less time than handing it to a thread.
INLINE_BYTES = 8 * 1024


class Worker:
    """Answers what the front asks of one loaded variant.

    A worker of one stream and one thread runs the engine on its event loop: on one core nothing could go on beside it,
    and no request or answer has to be handed from thread to thread.
    """

    def __init__(
        self, config: WorkerConfig, loaded: Loaded, black_box: BlackBox, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._config, self._handler, self._black_box, self._loop = config, loaded.handler, black_box, loop
        self._transport: asyncio.WriteTransport | None = None
        self._decoding_slots = itertools.count(slots_of(config.splits) - DECODERS)
        self._decoder = threading.local()
        self._start_decoder()  # the event loop itself
        self._decoders = ThreadPoolExecutor(DECODERS - 1, "decode", self._start_decoder)
        # Their functions may need a thread that they can block or run a loop on.
        self._inline = loaded.split == Split(1, 1) and loaded.handler.user == UserCode()
        self._woken = False
        self._streams = Streams(
            loaded.handler,
            0 if self._inline else loaded.split.streams,
            loaded.call_tokens,
            self._send if self._inline else self._send_from_thread,
            black_box,
            loaded.cost,
        )
        self._jobs: dict[int, Job] = {}

    def _start_decoder(self) -> None:
        self._decoder.slot = next(self._decoding_slots)

    async def run(self, connection: socket.socket, ready: Ready) -> None:
        frames = Frames(decoder(), self._on_message, lambda: os._exit(0))
        self._transport, _ = await self._loop.create_connection(lambda: frames, sock=connection)
        self._send([ready])
        await self._beat()

    def _on_message(self, message: ToWorker) -> None:
        if isinstance(message, Cancel):
            if job := self._jobs.pop(message.id, None):
                job.cancelled = True
            return
        job = Job(message.id, message.queue_by, message.expires, time.monotonic(), message.alone)
        self._jobs[message.id] = job
        if len(message.body) <= INLINE_BYTES and self._handler.user.input_fn is None:
            self._prepare(job, message)
            self._wake()
        else:
            decoding = self._decoders.submit(self._prepare, job, message)
            decoding.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._wake))

    def _wake(self) -> None:
        """Run the engine once everything that has arrived by now is queued."""
        if self._inline and not self._woken:
            self._woken = True
            self._loop.call_soon(self._run_next)

    def _run_next(self) -> None:
        self._woken = False
        try:
            ran = self._streams.run_next()
        except Exception as exc:  # noqa: BLE001  as on a thread of its own
            _die(exc)
        if ran:
            self._wake()

    def _prepare(self, job: Job, ask: Ask) -> None:
        self._black_box.board(self._decoder.slot, [job.id], time.monotonic())
        try:
            reply = decode(self._handler, job, ask)
        finally:
            self._black_box.land(self._decoder.slot)
        if reply is None:
            self._streams.put(job)
        else:
            self._send_from_thread([reply])

    def _send_from_thread(self, messages: list[ToFront]) -> None:
        self._loop.call_soon_threadsafe(self._send, messages)

    def _send(self, messages: list[ToFront]) -> None:
        assert self._transport is not None, "this is a bug: nothing is sent before the connection is up"
        self._transport.write(b"".join(frame(message) for message in messages))
        for message in messages:
            self._jobs.pop(getattr(message, "id", -1), None)

    async def _beat(self) -> None:
        process = psutil.Process()
        while True:
            self._send([Beat(*self._streams.queued(), process.memory_info().rss)])
            await asyncio.sleep(self._config.beat_s)


def _die(error: BaseException | None) -> NoReturn:
    """A stream that met a bug must not leave a worker that looks alive: end it, the supervisor starts another."""
    place = place_of(error) if error else ""
    log.critical("a stream of the worker failed: this is a bug", extra={"exception": place})
    os._exit(70)


def main() -> None:
    config = msgspec.json.decode(sys.argv[2], type=WorkerConfig)
    configure_logs(config.log_format, config.log_level, {"variant": config.name, "pid": os.getpid()})
    threading.excepthook = lambda arguments: _die(arguments.exc_value)
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        started = time.monotonic()
        folder = Path(config.model_dir)
        try:
            # On the main thread: on some engines only threads born of the one that opened a session have its settings.
            loaded, speeds = load_fastest(
                folder, manifest_of(folder), config.backend, config.splits, config.batch_tokens
            )
        except ParetoServeError as exc:
            with contextlib.suppress(BrokenPipeError):  # the front is gone, and nobody wants to know
                connection.sendall(frame(Failed(type(exc).__name__, str(exc))))
            return
        loaded.handler.served_as = config.name
        load_s = time.monotonic() - started
        facts = facts_of(folder, config.backend, loaded, speeds)
        ready = Ready(facts, load_s, loaded.cost, loaded.call_tokens, loaded.split.streams)
        # What is loaded stays; looking through it for garbage would only fill the caches with it.
        gc.collect()
        gc.freeze()
        black_box = BlackBox(config.black_box_fd, slots_of(config.splits))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            worker = Worker(config, loaded, black_box, runner.get_loop())
            runner.run(worker.run(connection, ready))


if __name__ == "__main__":
    main()
