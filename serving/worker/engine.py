"""The engine: requests in, replies out, in this very process. It knows no socket, no event loop and no other process.

`docs/adding-a-host.md` says how one is hosted.
"""

import itertools
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from model_store.errors import Overloaded
from serving import tuning
from serving.wire.black_box import BlackBox
from serving.wire.messages import Ask, BatchDone, Reply
from serving.wire.timings import Timings
from serving.worker.decoding import Undecoded, decode
from serving.worker.job import Job, error_reply, expired_reply
from serving.worker.loading import Loaded
from serving.worker.parts import cut
from serving.worker.streams import Deliver, Streams

_RETRY_AFTER_S = 0.5


class Engine:
    """A loaded variant with its queue, its batcher, and the threads that decode and run.

    Replies go to `deliver`, those of one call of the engine together, on any thread. With `wake` the engine starts no
    threads to run its calls: `wake` is called, on any thread, when there is something to run, and the host then calls
    `run_next` until it returns False. `decoders` further threads decode large bodies; without any, `ask` decodes all.

    The first slots of `black_box` are those of the streams, the last ones those of the threads that decode.
    """

    def __init__(
        self,
        loaded: Loaded,
        deliver: Deliver,
        black_box: BlackBox,
        *,
        wake: Callable[[], None] | None = None,
        decoders: int = 0,
    ) -> None:
        self._handler, self._deliver, self._black_box = loaded.handler, deliver, black_box
        self._streams = Streams(
            loaded.handler,
            0 if wake else loaded.split.streams,
            loaded.call_tokens,
            self._deliver_and_forget,
            black_box,
            loaded.cost,
        )
        self._wake = wake or _has_threads
        # A user's own input_fn may take long.
        here = tuning.INLINE_BYTES if loaded.handler.user.input_fn is None else -1
        self._most_bytes_here = here if decoders else math.inf
        self._has_decoders = decoders > 0
        slots = itertools.count(black_box.slots - decoders - 1)
        self._slot_here = next(slots)
        self._decoder = threading.local()
        self._decoders = ThreadPoolExecutor(max(1, decoders), "decode", lambda: self._start_decoder(next(slots)))
        _start_all(self._decoders, decoders)
        self._undecoded = Undecoded()
        self._jobs: dict[int, Job] = {}

    def ask(self, ask: Ask) -> None:
        """Take a request. Always called on the same thread."""
        began = ask.sent or time.monotonic()
        job = Job(ask.id, ask.queue_by, ask.expires, Timings(began, began), ask.isolated)
        self._jobs[ask.id] = job
        # What is packed may be large when it is unpacked.
        if len(ask.body) <= self._most_bytes_here and not (ask.content_encoding and self._has_decoders):
            self._decode(job, ask, self._slot_here)
        elif self._undecoded.put(job, ask):
            self._decoders.submit(self._decode_there)
        else:
            refused = Overloaded("too many large bodies wait to be read", _RETRY_AFTER_S)
            self._deliver_and_forget([error_reply(job, refused)])

    def cancel(self, request_id: int) -> None:
        """Nobody waits for this request any more: it is not run, if it is not running yet."""
        if job := self._jobs.pop(request_id, None):
            job.cancelled = True
            if job.whole:
                job.whole.cancel()
            self._undecoded.drop(request_id)

    def run_next(self, stream: int = 0) -> bool:
        """Run one call of the engine, if anything waits; whether anything did."""
        return self._streams.run_next(stream)

    def queued(self) -> tuple[int, int]:
        """How many requests and tokens wait."""
        return self._streams.queued()

    def close(self) -> None:
        """End the threads and free the engine. Calls that run are finished and delivered; what waits is not run."""
        self._decoders.shutdown()
        self._streams.close()
        self._handler.close()

    def _start_decoder(self, slot: int) -> None:
        self._decoder.slot = slot

    def _decode_there(self) -> None:
        if waiting := self._undecoded.take():
            self._decode(*waiting, self._decoder.slot)

    def _decode(self, job: Job, ask: Ask, slot: int) -> None:
        now = time.monotonic()
        if job.is_late(now):
            self._deliver_and_forget([expired_reply(job, now)])
            return
        self._black_box.begin(slot, [job.id], now)
        try:
            reply = decode(self._handler, job, ask)
        finally:
            self._black_box.end(slot)
        if reply is not None:
            self._deliver_and_forget([reply])
        elif not job.cancelled:
            for one in cut(job, self._handler) if ask.in_parts else (job,):
                self._streams.put(one)
            self._wake()

    def _deliver_and_forget(self, messages: list[Reply | BatchDone]) -> None:
        now = time.monotonic()
        for message in messages:
            if type(message) is Reply:
                message.timings.encoded(now)
                if not message.more:
                    self._jobs.pop(message.id, None)
        self._deliver(messages)


def _start_all(threads: ThreadPoolExecutor, count: int) -> None:
    """Have all threads of a pool now, which would start them as work comes: how many a worker has does not change."""
    if count:
        met = threading.Barrier(count + 1)
        for _ in range(count):
            threads.submit(met.wait)
        met.wait()


def _has_threads() -> None:
    """Nothing to wake: the streams' threads wait at the queue themselves."""
