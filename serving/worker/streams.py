"""The queue of texts, and the threads that feed them to the engine."""

import itertools
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from handlers.backends.base import Logits
from handlers.handler import Handler
from handlers.tokens.packing import Tokens
from model_store.errors import ParetoServeError
from serving import tuning
from serving.batching.arrange import lay_out
from serving.batching.batcher import Picked, next_batch, next_padded_batch
from serving.batching.padded_cost import PaddedCost
from serving.wire.black_box import BlackBox
from serving.wire.cost import NO_COST, Cost
from serving.wire.messages import BatchDone, Reply
from serving.worker.calls import batch_done, log_failure
from serving.worker.job import (
    Job,
    QueuedText,
    answer_reply,
    error_reply,
    expired_reply,
    jobs_of,
    prepared_of,
    texts_of,
)
from serving.worker.loading import shares_calls
from serving.worker.own_code import run_own_code

Deliver = Callable[[list[Reply | BatchDone]], None]
"""Takes what came of a call of the engine: the replies that it completed, and the call itself."""


class Streams:
    """`count` threads, each taking the next batch whenever it is free and delivering what comes of it.

    `deliver` is called on these threads. With a count of 0 there are none, and whoever puts jobs calls `run_next`.
    """

    def __init__(
        self,
        handler: Handler,
        count: int,
        batch_tokens: int,
        deliver: Deliver,
        black_box: BlackBox,
        cost: Cost = NO_COST,
    ) -> None:
        self._handler = handler
        self._black_box = black_box
        self._cost = cost
        self._shares_calls = shares_calls(handler)
        # Known where each text has a row of its own; None where texts are packed, or asked one at a time.
        self._padded = PaddedCost(handler.grid, cost) if handler.grid and self._shares_calls else None
        # A request for the user's own model counts as one.
        self._batch_tokens = batch_tokens if handler.batches else handler.user.batch_size
        self._deliver = deliver
        self._queue: list[QueuedText] = []
        # Texts of requests that take several calls: a call in so many is theirs while others wait.
        self._bulk: list[QueuedText] = []
        self._calls_since_bulk = tuning.BULK_EVERY
        self._isolated: list[list[QueuedText]] = []
        self._changed = threading.Condition()
        self._running = 0
        self._running_isolated = False
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"stream-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> None:
        """Queue a prepared job. Called from any thread."""
        queued = texts_of(job)
        tokens = job.whole.tokens if job.whole else sum(map(_tokens, queued))
        job.bulk = len(queued) > 1 and self._shares_calls and tokens > self._batch_tokens
        with self._changed:
            if job.isolated:
                self._isolated.append(queued)
            elif job.bulk:
                self._bulk += queued
            else:
                self._queue += queued
            self._changed.notify()

    def queued(self) -> tuple[int, int]:
        """How many requests and tokens wait."""
        with self._changed:
            texts = [*self._queue, *self._bulk, *itertools.chain.from_iterable(self._isolated)]
            return len({text.job.id for text in texts}), sum(text.tokens for text in texts)

    def close(self) -> None:
        """End the threads once their calls are done; what waits is not run any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        while not self._closed:
            with self._changed:
                while self._next_queue() is None and not self._closed:
                    self._changed.wait()
            self.run_next(number)

    def run_next(self, number: int = 0) -> bool:
        """Take a batch, if there is one that may be taken now, and answer it; whether there was one."""
        with self._changed:
            queue = None if self._closed else self._next_queue()
            if queue is None:
                return False
            started = time.monotonic()
            picked = self._pick(queue, started)
            self._leave(queue, picked.left)
            jobs = jobs_of(picked.batch)
            for job in jobs:
                job.taken = True
                if job.whole:
                    job.whole.take()
            self._running += 1
        self._black_box.begin(number, [job.id for job in jobs], started)
        for messages in self._serve(picked, jobs, started, number):
            self._deliver(messages)
        self._black_box.end(number)
        with self._changed:
            self._running -= 1
            ran_isolated, self._running_isolated = self._running_isolated, False
            if ran_isolated or self._isolated:  # the others waited for this
                self._changed.notify_all()
        return True

    def _next_queue(self) -> list[QueuedText] | None:
        """What a free stream may take from now: an isolated job once all other streams are idle, before all others."""
        if self._isolated:
            return None if self._running else self._isolated[0]
        if self._running_isolated:
            return None
        if self._bulk and (not self._queue or self._calls_since_bulk + 1 >= tuning.BULK_EVERY):
            return self._bulk + self._queue
        return self._queue or None

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
        if self._isolated and queue is self._isolated[0]:
            self._running_isolated = True
            self._isolated[:1] = [left] if left else []
        elif queue is self._queue:
            self._queue = left
            self._calls_since_bulk += 1
        else:
            self._bulk = [text for text in left if text.job.bulk]
            self._queue = [text for text in left if not text.job.bulk]
            self._calls_since_bulk = 0
        if left or self._queue or self._bulk:
            self._changed.notify()

    def _ended(self, job: Job, reply: Reply) -> list[Reply | BatchDone]:
        """The reply of a job; what came of a part is delivered before another part's can be."""
        if job.whole is None:
            return [reply]
        with job.whole.lock:
            if messages := job.whole.ended(job, reply):
                self._deliver([*messages])
        return []

    def _serve(
        self, picked: Picked[QueuedText], jobs: list[Job], started: float, number: int
    ) -> Iterator[list[Reply | BatchDone]]:
        """What comes of it, in the parts in which it is to be delivered."""
        messages: list[Reply | BatchDone] = []
        for job in jobs_of(picked.expired):
            messages += self._ended(job, expired_reply(job, started))
        if jobs and self._handler.batches:
            messages += self._serve_batch(picked.batch, jobs, started)
        if messages:
            yield messages
        if not self._handler.batches:
            yield from run_own_code(self._handler, jobs, started, partial(self._black_box.begin, number))

    def _serve_batch(self, batch: list[QueuedText], jobs: list[Job], started: float) -> list[Reply | BatchDone]:
        layout = lay_out([text.tokens for text in batch], self._handler, self._cost)
        batch = [batch[i] for row in layout for i in row]
        rows = _rows(batch, layout)
        messages: list[Reply | BatchDone] = []
        begun = time.monotonic()
        try:
            results = self._handler.infer(rows)
        except ParetoServeError as exc:
            ended = self._called(jobs, started, begun)
            log_failure(exc)
            for job in jobs:
                messages += [] if job.done else self._ended(job, error_reply(job, exc))
        else:
            ended = self._called(jobs, started, begun)
            for job in self._completed(batch, results):
                messages += self._ended(job, self._reply(job))
        tokens = sum(text.tokens for text in batch)
        padding = self._handler.padding_tokens(rows)
        messages.append(batch_done(len(jobs), tokens, padding, (started, begun, ended)))
        return messages

    def _called(self, jobs: list[Job], taken: float, begun: float) -> float:
        """Note in the jobs that a call with them has ended just now; when that is."""
        ended = time.monotonic()
        with self._changed:  # another stream may have ended a call of the same job
            for job in jobs:
                if not job.done:
                    job.timings.called(taken, begun, ended)
        return ended

    def _completed(self, batch: list[QueuedText], results: Sequence[Logits]) -> list[Job]:
        """Hand the results to their jobs; the jobs that have all of theirs now."""
        with self._changed:  # two streams may bring the last results of one job at the same moment
            completed = []
            for text, result in zip(batch, results, strict=True):
                text.job.results[text.index] = result
                text.job.missing -= 1
                if not text.job.done and not text.job.missing:
                    text.job.done = True
                    completed.append(text.job)
            return completed

    def _reply(self, job: Job) -> Reply:
        try:
            outputs = [one for one in job.results if one is not None]
            return answer_reply(job, self._handler.finish(prepared_of(job), outputs))
        except ParetoServeError as exc:
            log_failure(exc)
            return error_reply(job, exc)


def _tokens(text: QueuedText) -> int:
    return text.tokens


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
