"""Calls of a variant's own code: for one request, or for several where it takes a list of them."""

from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from handlers.handler import Answer, Handler
from handlers.own_tensors import OwnRequest
from model_store.errors import ParetoServeError
from serving.wire.messages import BatchDone, Reply
from serving.worker.calls import batch_done, log_failure
from serving.worker.job import Job, answer_reply, error_reply, prepared_of

Begin = Callable[[Sequence[int], float], None]
"""Notes that these requests are being worked on from now on."""


def run_own_code(
    handler: Handler, jobs: Sequence[Job], taken: float, begin: Begin
) -> Iterator[list[Reply | BatchDone]]:
    """What comes of each call. Requests that were `taken` together have one, those with tensors another one.

    Where a call for several fails, each of them has a call of its own: one bad request is no reason to refuse others.
    """
    for together in _alike(jobs):
        outcomes, done = _called(handler, together, taken, begin)
        if outcomes:
            yield [*map(_reply, together, outcomes), done]
            continue
        yield [done]
        for job in together:
            if not job.cancelled:
                outcomes, done = _called(handler, [job], monotonic(), begin)
                yield [*map(_reply, [job], outcomes), done]


def _alike(jobs: Sequence[Job]) -> list[list[Job]]:
    """What the data of declared tensors is, and what `input_fn` returns, need have nothing in common."""
    kinds: dict[bool, list[Job]] = {}
    for job in jobs:
        kinds.setdefault(isinstance(prepared_of(job).data, OwnRequest), []).append(job)
    return list(kinds.values())


def _called(
    handler: Handler, jobs: list[Job], taken: float, begin: Begin
) -> tuple[Sequence[Answer | ParetoServeError], BatchDone]:
    """What each is answered, or why it is not; nothing where a call for several failed."""
    begun = monotonic()
    begin([job.id for job in jobs], begun)
    outcomes: Sequence[Answer | ParetoServeError]
    try:
        outcomes = _run(handler, jobs)
    except ParetoServeError as exc:
        if len(jobs) > 1:
            log_failure(exc)
        outcomes = [exc] if len(jobs) == 1 else []
    ended = monotonic()
    for job in jobs:
        job.timings.called(taken, begun, ended)
    return outcomes, batch_done(len(jobs), len(jobs), 0, (taken, begun, ended))


def _run(handler: Handler, jobs: list[Job]) -> Sequence[Answer | ParetoServeError]:
    if len(jobs) == 1:
        return [handler.run_alone(prepared_of(jobs[0]))]
    return handler.run_together([prepared_of(job) for job in jobs])


def _reply(job: Job, outcome: Answer | ParetoServeError) -> Reply:
    if isinstance(outcome, ParetoServeError):
        log_failure(outcome)
        return error_reply(job, outcome)
    job.done = True
    return answer_reply(job, outcome)
