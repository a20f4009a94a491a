"""A request inside an engine, from its arrival to its reply, and its texts as they wait."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlers.backends.base import Logits
from handlers.handler import Answer, Prepared
from handlers.own_code.failures import message_of
from handlers.tokens.packing import Tokens
from model_store.errors import DeadlineExceeded, NotReady, Overloaded, OwnCodeError, ParetoServeError
from serving.wire.messages import Reply
from serving.wire.timings import Timings

if TYPE_CHECKING:
    from serving.worker.parts import Whole

_LONGEST_RETRY_S = 3600.0


@dataclass(slots=True, eq=False)
class Job:
    """One request.

    `isolated`: was running when a worker died; batch it alone. `bulk`: its texts do not fit into one call.

    `results` has one entry per text, filled as batches come back, until none is `missing`; a job is `done` once its
    reply is made. From the moment its first text is `taken` to the engine it does not expire any more: its other texts
    may need further calls. `whole` is what it is a part of, or, of a request that was cut into parts, what these make.
    """

    id: int
    queue_by: float
    expires: float
    timings: Timings
    isolated: bool = False
    bulk: bool = False
    cancelled: bool = False
    done: bool = False
    prepared: Prepared | None = None
    results: list[Logits | None] = field(default_factory=list)
    missing: int = 0
    taken: bool = False
    whole: "Whole | None" = None

    def is_late(self, now: float) -> bool:
        """Whether it is no use to begin with it."""
        return self.queue_by < now or self.expires < now


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


def prepared_of(job: Job) -> Prepared:
    assert job.prepared is not None, "this is a bug: only prepared jobs are queued"
    return job.prepared


def texts_of(job: Job) -> list[QueuedText]:
    """What a prepared job puts into the queue; its results have room for as many."""
    texts = prepared_of(job).windows or (None,)
    job.results, job.missing = [None] * len(texts), len(texts)
    return [QueuedText(job, i, text) for i, text in enumerate(texts)]


def jobs_of(texts: Sequence[QueuedText]) -> list[Job]:
    """Each job once, in the order of its first text."""
    return list(dict.fromkeys(text.job for text in texts))


def answer_reply(job: Job, answer: Answer) -> Reply:
    tokens = sum(map(len, job.prepared.windows)) if job.prepared else 0
    parts = answer.body, answer.content_type, answer.json_length, answer.truncated
    return Reply(job.id, *parts, job.timings, tokens, bulk=job.bulk, status=answer.status, headers=answer.headers)


def error_reply(job: Job, error: ParetoServeError) -> Reply:
    job.done = True
    retry_after_s = error.retry_after_s if isinstance(error, Overloaded | NotReady) else 0.0
    if not isinstance(retry_after_s, int | float) or not 0 <= retry_after_s <= _LONGEST_RETRY_S:
        retry_after_s = 0.0  # the user's code may raise ours with anything
    # The user's code may raise a class of its own, derived from one of the tree; the front knows the tree only.
    name = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == ParetoServeError.__module__)
    told = message_of(error)
    # The status is one that the variant's own code names.
    status = error.status if isinstance(error, OwnCodeError) and type(error.status) is int else 0
    return Reply(job.id, b"", "", None, (), job.timings, 0, name, told, retry_after_s, status=status)


def expired_reply(job: Job, now: float) -> Reply:
    job.timings.waited(now)
    if job.expires < now:
        return error_reply(job, DeadlineExceeded("The deadline of this request passed before the engine was free."))
    return error_reply(job, Overloaded("it waited longer than the queue deadline", max(0.1, now - job.timings.began)))
