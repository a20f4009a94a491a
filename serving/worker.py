"""A worker process: one variant on one engine, asked over the socket that it was started with.

Run as `python -m serving.worker FD CONFIG_JSON`. Its event loop reads requests and decodes small ones; stream
threads call the engine. It ends when the front is gone.
"""

import asyncio
import logging
import os
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
import psutil
import uvloop

from handlers.backends.base import SessionInfo, Threads
from handlers.handler import Handler, RawRequest, load_handler
from handlers.packing import Tokens
from model_store.errors import ParetoServeError
from model_store.manifest import Manifest
from model_store.store import manifest_of
from serving.cost import NO_COST, Cost, fit_cost
from serving.streams import Job, Streams, error_reply
from serving.wire import Ask, Beat, Cancel, Failed, Frames, Ready, ToFront, ToWorker, WorkerConfig, frame
from serving.wire import worker_side_decoder as decoder

log = logging.getLogger("paretoserve.worker")

# A body up to this size is decoded and tokenized on the event loop: that takes less time than handing it to a thread.
INLINE_BYTES = 8 * 1024

# How often each size of batch is run at warm-up; the fastest counts, since others may have had the core meanwhile.
CALIBRATION_REPEATS = 3


class Worker:
    def __init__(self, config: WorkerConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._config = config
        self._loop = loop
        self._transport: asyncio.WriteTransport | None = None
        self._handler: Handler | None = None
        self._streams: Streams | None = None
        self._decoders = ThreadPoolExecutor(2, "decode")
        self._jobs: dict[int, Job] = {}

    async def run(self, connection: socket.socket) -> None:
        frames = Frames(decoder(), self._on_message, lambda: os._exit(0))
        self._transport, _ = await self._loop.create_connection(lambda: frames, sock=connection)
        beats = asyncio.create_task(self._beat())
        started = time.monotonic()
        try:
            ready = await asyncio.to_thread(self._load, started)
        except ParetoServeError as exc:
            self._send([Failed(type(exc).__name__, str(exc))])
            await asyncio.sleep(0)
            self._transport.close()
            return
        self._send([ready])
        await beats

    def _load(self, started: float) -> Ready:
        config = self._config
        folder = Path(config.model_dir)
        manifest = manifest_of(folder)
        threads = Threads(config.streams, config.threads_per_stream)
        self._handler = handler = load_handler(folder, manifest, config.backend, threads)
        handler.served_as = config.name
        cost, call_tokens = NO_COST, 1  # the user's own model is asked one request at a time
        if handler.batches:
            cost = warm_up(handler, config.batch_tokens, config.streams)
            call_tokens = cost.best_call_tokens(config.batch_tokens)
        self._streams = Streams(handler, config.streams, call_tokens, self._send_from_thread, cost)
        facts = _facts(config, manifest, handler.session_info, cost, call_tokens)
        return Ready(facts, time.monotonic() - started, cost, call_tokens)

    def _on_message(self, message: ToWorker) -> None:
        if isinstance(message, Cancel):
            if job := self._jobs.pop(message.id, None):
                job.cancelled = True
            return
        job = Job(message.id, message.queue_by, message.expires, time.monotonic())
        self._jobs[message.id] = job
        assert self._handler is not None, "this is a bug: the front asks only workers that are ready"
        if len(message.body) <= INLINE_BYTES and self._handler.user.input_fn is None:
            self._prepare(job, message)
        else:
            self._decoders.submit(self._prepare, job, message)

    def _prepare(self, job: Job, ask: Ask) -> None:
        assert self._handler is not None, "this is a bug: the front asks only workers that are ready"
        assert self._streams is not None, "this is a bug: the front asks only workers that are ready"
        started = time.monotonic()
        try:
            job.prepared = self._handler.prepare(
                RawRequest(ask.body, ask.content_type, ask.accept, ask.protocol, ask.json_length)
            )
        except ParetoServeError as exc:
            self._send_from_thread([error_reply(job, exc)])
            return
        except Exception:
            # What one request brings about must not end the worker that others wait for.
            log.exception("a request could not be decoded: this is a bug")
            bug = ParetoServeError("The server met a bug of its own on this body; its log says more.")
            self._send_from_thread([error_reply(job, bug)])
            return
        job.tokenize_s = time.monotonic() - started
        self._streams.put(job)

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
            queued = self._streams.queued() if self._streams else (0, 0)
            running_s = self._streams.running_s() if self._streams else 0.0
            self._send([Beat(*queued, running_s, process.memory_info().rss)])
            await asyncio.sleep(self._config.beat_s)


def warm_up(handler: Handler, batch_tokens: int, streams: int) -> Cost:
    """Run calls of all shapes, so that no request pays for the engine's first calls, and measure what they cost."""
    # Not through `prepare`: the user's own input_fn may read another format.
    words = handler.model.tokenizer("a few words to warm up with")
    if handler.width_step > 1:
        with ThreadPoolExecutor(streams) as pool:  # each stream prepares for itself
            list(pool.map(lambda _: _meet_all_shapes(handler, words, batch_tokens), range(streams)))
    shapes = _calibration_shapes(handler, batch_tokens)
    return fit_cost([_sample(handler, words, rows, width) for rows, width in shapes])


def _meet_all_shapes(handler: Handler, words: Tokens, batch_tokens: int) -> None:
    """Every width of a row, and every number of texts that is a power of two."""
    for width in range(handler.width_step, max(batch_tokens, handler.manifest.max_tokens) + 1, handler.width_step):
        handler.infer([[_resized(words, width)]])
    for n in range((batch_tokens // 4).bit_length()):
        handler.infer([[_resized(words, 4)] * (1 << n)])


def _calibration_shapes(handler: Handler, batch_tokens: int) -> list[tuple[int, int]]:
    """Rows and widths to measure: from a short text to a full call, in one row and, where that is done, in several."""
    sizes = [tokens for tokens in (32, 64, 128, 256, 512) if tokens < batch_tokens] + [batch_tokens]
    widths = (32, 64, 128)
    several = [(tokens // width, width) for tokens in sizes for width in widths if width < tokens]
    return [(1, tokens) for tokens in sizes] + (several if handler.width_step == 1 else [])


def _sample(handler: Handler, words: Tokens, rows: int, width: int) -> tuple[int, int, float]:
    """The fastest of some calls with `rows` rows of texts of up to 32 tokens."""
    texts = [_resized(words, min(32, width - start)) for start in range(0, width, 32)]
    return rows, width, min(_timed(handler, [texts] * rows) for _ in range(CALIBRATION_REPEATS))


def _resized(text: Tokens, tokens: int) -> Tokens:
    return Tokens(np.resize(text.input_ids, tokens), np.resize(text.token_type_ids, tokens))


def _timed(handler: Handler, rows: list[list[Tokens]]) -> float:
    started = time.perf_counter()
    handler.infer(rows)
    return time.perf_counter() - started


def _facts(
    config: WorkerConfig, manifest: Manifest, info: SessionInfo | None, cost: Cost, call_tokens: int
) -> dict[str, object]:
    """What `/variants` shows of this worker."""
    facts = msgspec.to_builtins(manifest)
    # The golden inputs are for the worker; a reader of /variants wants the rest.
    del facts["golden"], facts["artifacts"]
    if artifact := manifest.artifacts.get(config.backend):
        facts["artifact"] = {
            "file": artifact.file,
            "layout": artifact.layout,
            "precision": artifact.precision,
            "bytes": artifact.bytes,
            "quality": msgspec.to_builtins(artifact.quality),
        }
    facts["cost"] = {name: getattr(cost, name) for name in cost.__struct_fields__}
    facts["call_tokens"] = call_tokens
    facts["engine"] = msgspec.to_builtins(info) if info else "the variant's own model_fn"
    return facts  # type: ignore[no-any-return]


def _die(arguments: threading.ExceptHookArgs) -> None:
    """A stream that met a bug must not leave a worker that looks alive: end it, the supervisor starts another."""
    log.critical("a thread of the worker failed: this is a bug", exc_info=arguments.exc_value)
    os._exit(70)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    threading.excepthook = _die
    connection = socket.socket(fileno=int(sys.argv[1]))
    config = msgspec.json.decode(sys.argv[2], type=WorkerConfig)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        worker = Worker(config, runner.get_loop())
        runner.run(worker.run(connection))


if __name__ == "__main__":
    main()
