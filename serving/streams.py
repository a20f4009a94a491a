"""Inside a worker: the queue of texts, and the threads that feed them to the engine."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from handlers.backends.base import Logits
from handlers.handler import Answer, Handler, Prepared
from handlers.packing import Tokens
from model_store.errors import DeadlineExceeded, Overloaded, ParetoServeError
from serving.batcher import Picked, next_batch
from serving.wire import BatchDone, Reply, Timings, ToFront


@dataclass(slots=True, eq=False)
class Job:
    """One request in the worker, from its arrival to its reply.

    `results` has one entry per text, filled as batches come back; a job is `done` once its reply is made.
    """

    id: int
    queue_by: float
    expires: float
    arrived: float
    cancelled: bool = False
    done: bool = False
    prepared: Prepared | None = None
    results: list[Logits | Answer | None] = field(default_factory=list)
    tokenize_s: float = 0.0
    queue_s: float = 0.0


@dataclass(frozen=True, slots=True)
class QueuedText:
    """One text of a job; of a job without texts (the user's own model) the only one, with `content` None."""

    job: Job
    index: int
    content: Tokens | None

    @property
    def tokens(self) -> int:
        return 1 if self.content is None else len(self.content)

    @property
    def wait_until(self) -> float:
        return min(self.job.queue_by, self.job.expires)

    @property
    def cancelled(self) -> bool:
        return self.job.cancelled or self.job.done


class Streams:
    """`count` threads, each taking the next batch whenever it is free and sending what comes of it.

    `send` is called from these threads with the replies of a batch together.
    """

    def __init__(self, handler: Handler, count: int, batch_tokens: int, send: Callable[[list[ToFront]], None]) -> None:
        self._handler = handler
        # The user's own model is asked one request at a time.
        self._batch_tokens = batch_tokens if handler.batches else 1
        self._send = send
        self._queue: list[QueuedText] = []
        self._changed = threading.Condition()
        self._running: dict[int, float] = {}
        for number in range(count):
            threading.Thread(target=self._run, args=(number,), name=f"stream-{number}", daemon=True).start()

    def put(self, job: Job) -> None:
        """Queue a prepared job. Called from the worker's event loop and its decoding threads."""
        assert job.prepared is not None, "this is a bug: only prepared jobs are queued"
        texts = job.prepared.texts or (None,)
        job.results = [None] * len(texts)
        with self._changed:
            self._queue.extend(QueuedText(job, i, text) for i, text in enumerate(texts))
            self._changed.notify()

    def queued(self) -> tuple[int, int]:
        """How many requests and tokens wait."""
        with self._changed:
            return len({text.job.id for text in self._queue}), sum(text.tokens for text in self._queue)

    def running_s(self) -> float:
        """The age of the oldest call that its engine has not come back from."""
        now = time.monotonic()
        return max((now - started for started in list(self._running.values())), default=0.0)

    def _run(self, number: int) -> None:
        while True:
            with self._changed:
                while not self._queue:
                    self._changed.wait()
                started = time.monotonic()
                picked = next_batch(self._queue, self._batch_tokens, started)
                self._queue = picked.left
                if picked.left:
                    self._changed.notify()
            self._running[number] = started
            self._send(self._serve(picked, started))
            del self._running[number]

    def _serve(self, picked: Picked[QueuedText], started: float) -> list[ToFront]:
        messages: list[ToFront] = []
        for job in {text.job for text in picked.expired}:
            if not job.done:
                messages.append(_expired(job, started))
        if picked.batch:
            messages += self._serve_batch(picked.batch, started)
        return messages

    def _serve_batch(self, batch: list[QueuedText], started: float) -> list[ToFront]:
        jobs = list(dict.fromkeys(text.job for text in batch))
        for job in jobs:
            job.queue_s = started - job.arrived - job.tokenize_s
        messages: list[ToFront] = []
        infer_started = time.monotonic()
        try:
            results = self._infer(batch)
        except ParetoServeError as exc:
            infer_s = time.monotonic() - infer_started
            messages += [error_reply(job, exc, infer_s) for job in jobs]
        else:
            infer_s = time.monotonic() - infer_started
            messages += [self._reply(job, infer_s) for job in self._completed(batch, results)]
        tokens = sum(text.tokens for text in batch)
        messages.append(BatchDone(len(jobs), tokens, 0, infer_s, time.monotonic() - started))
        return messages

    def _infer(self, batch: list[QueuedText]) -> Sequence[Logits | Answer]:
        """One result per text of the batch."""
        if self._handler.batches:
            return list(self._handler.infer([[text.content for text in batch if text.content is not None]]))
        (text,) = batch
        assert text.job.prepared is not None, "this is a bug: only prepared jobs are queued"
        return [self._handler.run_alone(text.job.prepared)]

    def _completed(self, batch: list[QueuedText], results: Sequence[Logits | Answer]) -> list[Job]:
        """Hand the results to their jobs; the jobs that have all of theirs now."""
        with self._changed:  # two streams may bring the last results of one job at the same moment
            completed = []
            for text, result in zip(batch, results, strict=True):
                text.job.results[text.index] = result
                if not text.job.done and all(one is not None for one in text.job.results):
                    text.job.done = True
                    completed.append(text.job)
            return completed

    def _reply(self, job: Job, infer_s: float) -> Reply:
        try:
            answer = self._finish(job)
        except ParetoServeError as exc:
            return error_reply(job, exc, infer_s)
        timings = Timings(job.tokenize_s, job.queue_s, infer_s)
        return Reply(job.id, answer.body, answer.content_type, answer.json_length, answer.truncated, timings)

    def _finish(self, job: Job) -> Answer:
        assert job.prepared is not None, "this is a bug: only prepared jobs are queued"
        if isinstance(job.results[0], Answer):
            return job.results[0]
        return self._handler.finish(job.prepared, np.stack([row for row in job.results if isinstance(row, np.ndarray)]))


def error_reply(job: Job, error: ParetoServeError, infer_s: float = 0.0) -> Reply:
    job.done = True
    timings = Timings(job.tokenize_s, job.queue_s, infer_s)
    retry_after_s = error.retry_after_s if isinstance(error, Overloaded) else 0.0
    name = type(error).__name__
    return Reply(job.id, timings=timings, error=name, message=str(error), retry_after_s=retry_after_s)


def _expired(job: Job, now: float) -> Reply:
    job.queue_s = now - job.arrived - job.tokenize_s
    if job.expires < now:
        return error_reply(job, DeadlineExceeded("The deadline of this request passed before the engine was free."))
    return error_reply(job, Overloaded("it waited longer than the queue deadline", max(0.1, now - job.arrived)))
