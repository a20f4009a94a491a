"""Inside a worker: the queue of texts, and the threads that feed them to the engine."""

import itertools
import logging
import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from handlers.backends.base import Logits
from handlers.handler import Answer, Handler, Prepared
from handlers.tokens.packing import Tokens
from model_store.errors import BackendError, DeadlineExceeded, NotReady, Overloaded, ParetoServeError
from serving.batching.arrange import lay_out
from serving.batching.batcher import Picked, next_batch, next_padded_batch
from serving.calibration.cost_fit import PaddedCost
from serving.logs import place_of
from serving.wire.black_box import BlackBox
from serving.wire.cost import NO_COST, Cost
from serving.wire.messages import BatchDone, Reply, Timings, ToFront
from serving.worker.loading import shares_calls

log = logging.getLogger("paretoserve.worker")


@dataclass(slots=True, eq=False)
class Job:
    """One request in the worker, from its arrival to its reply.

    `alone` is told of one that was on board when another worker died: it shares the engine with no other.

    `results` has one entry per text, filled as batches come back; a job is `done` once its reply is made. From the
    moment its first text is `taken` to the engine it does not expire any more: its other texts may need further calls.
    """

    id: int
    queue_by: float
    expires: float
    arrived: float
    alone: bool = False
    cancelled: bool = False
    done: bool = False
    prepared: Prepared | None = None
    results: list[Logits | Answer | None] = field(default_factory=list)
    tokenize_s: float = 0.0
    queue_s: float = 0.0
    infer_s: float = 0.0
    taken: bool = False


@dataclass(slots=True, eq=False)
class QueuedText:
    """One text of a job; of a job without texts (the user's own model) the only one, with `content` None.

    `overtaken` is how often a padded call took younger texts and left this one.
    """

    job: Job
    index: int
    content: Tokens | None
    overtaken: int = 0

    @property
    def tokens(self) -> int:
        return 1 if self.content is None else len(self.content)

    @property
    def wait_until(self) -> float:
        return math.inf if self.job.taken else min(self.job.queue_by, self.job.expires)

    @property
    def cancelled(self) -> bool:
        return self.job.cancelled or self.job.done


class Streams:
    """`count` threads, each taking the next batch whenever it is free and sending what comes of it.

    `send` is called from these threads with the replies of a batch together. With a count of 0 there are none, and
    whoever puts jobs calls `run_next`.
    """

    def __init__(
        self,
        handler: Handler,
        count: int,
        batch_tokens: int,
        send: Callable[[list[ToFront]], None],
        black_box: BlackBox,
        cost: Cost = NO_COST,
    ) -> None:
        self._handler = handler
        self._black_box = black_box
        self._cost = cost
        self._shares_calls = shares_calls(handler)
        # Known where each text has a row of its own; None where texts are packed, or asked one at a time.
        self._padded = PaddedCost(handler.grid, cost) if handler.grid and self._shares_calls else None
        # The user's own model is asked one request at a time.
        self._batch_tokens = batch_tokens if handler.batches else 1
        self._send = send
        self._queue: list[QueuedText] = []
        self._suspects: list[list[QueuedText]] = []
        self._changed = threading.Condition()
        self._running = 0
        self._running_suspect = False
        for number in range(count):
            threading.Thread(target=self._run, args=(number,), name=f"stream-{number}", daemon=True).start()

    def put(self, job: Job) -> None:
        """Queue a prepared job. Called from the worker's event loop and its decoding threads."""
        assert job.prepared is not None, "this is a bug: only prepared jobs are queued"
        texts = job.prepared.texts or (None,)
        job.results = [None] * len(texts)
        queued = [QueuedText(job, i, text) for i, text in enumerate(texts)]
        with self._changed:
            if job.alone:
                self._suspects.append(queued)
            else:
                self._queue += queued
            self._changed.notify()

    def queued(self) -> tuple[int, int]:
        """How many requests and tokens wait."""
        with self._changed:
            texts = [*self._queue, *itertools.chain.from_iterable(self._suspects)]
            return len({text.job.id for text in texts}), sum(text.tokens for text in texts)

    def _run(self, number: int) -> None:
        while True:
            with self._changed:
                while self._next_queue() is None:
                    self._changed.wait()
            self.run_next(number)

    def run_next(self, number: int = 0) -> bool:
        """Take a batch, if there is one that may be taken now, and answer it; whether there was one."""
        with self._changed:
            queue = self._next_queue()
            if queue is None:
                return False
            started = time.monotonic()
            picked = self._pick(queue, started)
            self._leave(queue, picked.left)
            for job in _jobs_of(picked.batch):
                _take(job, started)
            self._running += 1
        self._black_box.board(number, [job.id for job in _jobs_of(picked.batch)], started)
        self._send(self._serve(picked, started))
        self._black_box.land(number)
        with self._changed:
            self._running -= 1
            ran_suspect, self._running_suspect = self._running_suspect, False
            if ran_suspect or self._suspects:  # the others waited for this
                self._changed.notify_all()
        return True

    def _next_queue(self) -> list[QueuedText] | None:
        """What a free stream may take from now: a suspect once all other streams are idle, before anything else."""
        if self._suspects:
            return None if self._running else self._suspects[0]
        return self._queue if self._queue and not self._running_suspect else None

    def _pick(self, queue: list[QueuedText], now: float) -> Picked[QueuedText]:
        if self._handler.batches and not self._shares_calls:
            return _next_request(queue, now)
        if self._padded is None:
            return next_batch(queue, self._batch_tokens, now)
        picked = next_padded_batch(queue, self._batch_tokens, now, self._padded)
        for text in picked.overtaken:
            text.overtaken += 1
        return picked

    def _leave(self, queue: list[QueuedText], left: list[QueuedText]) -> None:
        if queue is self._queue:
            self._queue = left
        else:
            self._running_suspect = True
            self._suspects[:1] = [left] if left else []
        if left or self._queue:
            self._changed.notify()

    def _serve(self, picked: Picked[QueuedText], started: float) -> list[ToFront]:
        messages: list[ToFront] = []
        messages += [_expired(job, started) for job in _jobs_of(picked.expired)]
        if picked.batch:
            messages += self._serve_batch(picked.batch, started)
        return messages

    def _serve_batch(self, batch: list[QueuedText], started: float) -> list[ToFront]:
        jobs = _jobs_of(batch)
        layout = lay_out([text.tokens for text in batch], self._handler, self._cost)
        batch = [batch[i] for row in layout for i in row]
        rows = _rows(batch, layout)
        messages: list[ToFront] = []
        infer_started = time.monotonic()
        try:
            results = list(self._handler.infer(rows)) if self._handler.batches else [self._run_alone(batch)]
        except ParetoServeError as exc:
            infer_s = _spent(jobs, infer_started)
            _log_failure(exc)
            messages += [error_reply(job, exc) for job in jobs if not job.done]
        else:
            infer_s = _spent(jobs, infer_started)
            messages += [self._reply(job) for job in self._completed(batch, results)]
        tokens = sum(text.tokens for text in batch)
        padding = self._handler.padding_tokens(rows) if self._handler.batches else 0
        messages.append(BatchDone(len(jobs), tokens, padding, infer_s, time.monotonic() - started))
        return messages

    def _run_alone(self, batch: list[QueuedText]) -> Answer:
        (text,) = batch
        assert text.job.prepared is not None, "this is a bug: only prepared jobs are queued"
        return self._handler.run_alone(text.job.prepared)

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

    def _reply(self, job: Job) -> Reply:
        try:
            answer = self._finish(job)
        except ParetoServeError as exc:
            _log_failure(exc)
            return error_reply(job, exc)
        timings = Timings(job.tokenize_s, job.queue_s, job.infer_s)
        # The front estimates waits by it. Where each request has a call of its own, calls are counted, not tokens.
        tokens = sum(map(len, job.prepared.texts)) if job.prepared and self._shares_calls else 1
        return Reply(job.id, answer.body, answer.content_type, answer.json_length, answer.truncated, timings, tokens)

    def _finish(self, job: Job) -> Answer:
        assert job.prepared is not None, "this is a bug: only prepared jobs are queued"
        if isinstance(job.results[0], Answer):
            return job.results[0]
        return self._handler.finish(job.prepared, np.stack([row for row in job.results if isinstance(row, np.ndarray)]))


def _next_request(queue: Sequence[QueuedText], now: float) -> Picked[QueuedText]:
    """All texts of the oldest request, however many tokens they have."""
    of_oldest = [text for text in queue if text.job is queue[0].job]
    picked = next_batch(of_oldest, sys.maxsize, now)
    return replace(picked, left=[text for text in queue if text.job is not queue[0].job])


def _rows(batch: list[QueuedText], layout: list[list[int]]) -> list[list[Tokens]]:
    """The batch, already in the layout's order, cut into its rows."""
    texts = iter(batch)
    cut = [list(itertools.islice(texts, len(row))) for row in layout]
    return [[text.content for text in row if text.content is not None] for row in cut]


def _jobs_of(texts: Sequence[QueuedText]) -> list[Job]:
    return list(dict.fromkeys(text.job for text in texts))


def _take(job: Job, now: float) -> None:
    if not job.taken:
        job.taken = True
        job.queue_s = now - job.arrived - job.tokenize_s


def _spent(jobs: list[Job], started: float) -> float:
    """Seconds since `started`, added to what each job has had of the engine."""
    infer_s = time.monotonic() - started
    for job in jobs:
        job.infer_s += infer_s
    return infer_s


def _log_failure(error: ParetoServeError) -> None:
    if isinstance(error, BackendError):
        log.error("the engine, or the variant's own code, failed", extra={"exception": place_of(error)})


def error_reply(job: Job, error: ParetoServeError) -> Reply:
    job.done = True
    timings = Timings(job.tokenize_s, job.queue_s, job.infer_s)
    retry_after_s = error.retry_after_s if isinstance(error, Overloaded | NotReady) else 0.0
    # The user's code may raise a class of its own, derived from one of the tree; the front knows the tree only.
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == ParetoServeError.__module__)
    return Reply(job.id, timings=timings, error=name, message=str(error), retry_after_s=retry_after_s)


def _expired(job: Job, now: float) -> Reply:
    job.queue_s = now - job.arrived - job.tokenize_s
    if job.expires < now:
        return error_reply(job, DeadlineExceeded("The deadline of this request passed before the engine was free."))
    return error_reply(job, Overloaded("it waited longer than the queue deadline", max(0.1, now - job.arrived)))
