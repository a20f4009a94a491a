"""Answers that are sent in parts: a long list is cut into jobs of a few inputs each, whose answers are joined in order.

Joined, the parts are the bytes of the whole answer.
"""

import copy
import threading
from dataclasses import dataclass, field, replace

from handlers.handler import Handler, Prepared
from handlers.payloads.codecs import CSV, JSON, JSON_LINES
from handlers.user_code import UserCode
from serving import tuning
from serving.wire.messages import Reply
from serving.worker.job import Job


@dataclass(slots=True, eq=False)
class Whole:
    """A request whose answer is sent in parts: the jobs that it was cut into, in order, and what of their replies
    waits for those before them. `lock` is held from a job's end until what came of it is delivered, so that parts
    leave in order whichever thread they come from."""

    kind: str
    truncated: tuple[int, ...]
    tokens: int
    jobs: dict[Job, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: dict[int, Reply] = field(default_factory=dict)
    sent: int = 0
    taken: bool = False

    def take(self) -> None:
        """One of the jobs is at the engine: from now on none of them expires."""
        if not self.taken:
            self.taken = True
            for job in self.jobs:
                job.taken = True

    def cancel(self) -> None:
        for job in self.jobs:
            job.cancelled = True

    def ended(self, job: Job, reply: Reply) -> list[Reply]:
        """What is to be sent now that one of the jobs has its reply: the first error ends the whole."""
        if job.cancelled:
            return []
        if reply.error:
            self.cancel()
            return [reply]
        self.waiting[self.jobs[job]] = reply
        bodies = []
        while self.sent in self.waiting:
            bodies.append(self._joint(self.waiting.pop(self.sent).body))
            self.sent += 1
        body = b"".join(bodies)
        if self.sent == len(self.jobs):
            return [_last(reply, body, self)]
        return [Reply(reply.id, body, self.kind, truncated=self.truncated, more=True)] if body else []

    def _joint(self, body: bytes) -> bytes:
        """A part's own answer, a list, as it stands within the list of the whole answer."""
        if self.kind != JSON:
            return body
        begin = b"[" if self.sent == 0 else b","
        return begin + body[1:-1] + (b"]" if self.sent == len(self.jobs) - 1 else b"")


def _last(reply: Reply, body: bytes, whole: Whole) -> Reply:
    reply.body, reply.truncated, reply.tokens = body, whole.truncated, whole.tokens
    return reply


def cut(job: Job, handler: Handler) -> list[Job]:
    """The jobs for the parts of a prepared request; itself where it has no list of inputs to cut, or where the user's
    own code makes the answer."""
    prepared = job.prepared
    assert prepared is not None, "this is a bug: only prepared jobs are cut"
    inputs, size = getattr(prepared.data, "inputs", ()), tuning.INPUTS_OF_A_PART
    one_window_each = isinstance(inputs, tuple) and len(inputs) == len(prepared.windows) > size
    if (
        not one_window_each
        or handler.user != UserCode()
        or prepared.kind not in (JSON, JSON_LINES, CSV)
        or job.isolated
    ):
        return [job]
    whole = Whole(prepared.kind, prepared.truncated, sum(map(len, prepared.windows)))
    for start in range(0, len(inputs), size):
        part = Job(job.id, job.queue_by, job.expires, copy.copy(job.timings), whole=whole)
        part.prepared = _part(prepared, slice(start, start + size))
        whole.jobs[part] = len(whole.jobs)
    job.whole = whole
    return [*whole.jobs]


def _part(prepared: Prepared, which: slice) -> Prepared:
    data = replace(prepared.data, inputs=prepared.data.inputs[which])
    return replace(prepared, data=data, windows=prepared.windows[which])
