"""An engine's first step with a request: read it, tokenize it, or say why not; and those that wait for that."""

import logging
import threading
import time

from handlers.handler import Handler
from handlers.payloads.request import RawRequest
from model_store.errors import ParetoServeError
from serving import tuning
from serving.logs import place_of
from serving.wire.messages import Ask, Reply
from serving.worker.job import Job, error_reply

log = logging.getLogger("paretoserve.worker")


def decode(handler: Handler, job: Job, ask: Ask) -> Reply | None:
    """Prepare a job for the engine; of one that cannot be prepared, the reply."""
    timings = job.timings
    timings.waited(time.monotonic())
    try:
        told = ask.content_type, ask.accept, ask.protocol, ask.json_length, ask.content_encoding, ask.headers
        job.prepared = handler.prepare(RawRequest(ask.body, *told))
    except ParetoServeError as exc:
        return error_reply(job, exc)
    except BaseException as exc:  # noqa: BLE001  one request must not end the worker that others wait for; a panic of the
        # tokenizer is no Exception
        log.error("a request could not be decoded: this is a bug", extra={"exception": place_of(exc)})  # noqa: TRY400
        return error_reply(job, ParetoServeError("Internal error on this body; the server's log has the details."))
    finally:
        timings.tokenized(time.monotonic())
    job.expires = min(job.expires, timings.began + job.prepared.timeout_s)
    return None


class Undecoded:
    """Requests that wait for a thread to decode them, oldest first. Bounded in number and in bytes of their bodies."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[Job, Ask]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def put(self, job: Job, ask: Ask) -> bool:
        """Whether there was room for it. There always is where nothing waits, however large it is."""
        with self._lock:
            size = self._bytes + len(ask.body)
            full = len(self._waiting) >= tuning.MOST_UNDECODED or size > tuning.MOST_UNDECODED_BYTES
            if full and self._waiting:
                return False
            self._waiting[ask.id], self._bytes = (job, ask), size
            return True

    def take(self) -> tuple[Job, Ask] | None:
        """The oldest one, None where all were dropped."""
        with self._lock:
            return self._remove(next(iter(self._waiting))) if self._waiting else None

    def drop(self, request_id: int) -> None:
        """Nobody waits for this request any more, if it is here at all."""
        with self._lock:
            if request_id in self._waiting:
                self._remove(request_id)

    def _remove(self, request_id: int) -> tuple[Job, Ask]:
        job, ask = self._waiting.pop(request_id)
        self._bytes -= len(ask.body)
        return job, ask
