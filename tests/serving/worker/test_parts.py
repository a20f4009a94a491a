"""A long list is answered in parts: joined they are the whole answer, whichever of them is ready first."""

from pathlib import Path

import msgspec
import pytest

from handlers.payloads.request import RawRequest
from serving.cpu_plan import StreamSplit
from serving.wire.messages import Reply
from serving.wire.timings import Timings
from serving.worker.job import Job
from serving.worker.loading import Loaded
from serving.worker.parts import Whole, cut
from serving.worker.start import load_variant

pytestmark = pytest.mark.timeout(300)


def whole_of(count: int, kind: str = "application/json") -> Whole:
    whole = Whole(kind, (3,), 70)
    for number in range(count):
        whole.jobs[Job(7, 0.0, 0.0, Timings(), whole=whole)] = number
    return whole


def reply(body: bytes, error: str = "") -> Reply:
    return Reply(7, body, "application/json", tokens=9, error=error)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_parts_leave_in_order_and_join_to_the_whole_list(order: tuple[int, ...]) -> None:
    whole = whole_of(3)
    bodies, jobs = (b'[{"a":1},{"a":2}]', b'[{"a":3}]', b'[{"a":4}]'), [*whole.jobs]
    sent = [message for number in order for message in whole.ended(jobs[number], reply(bodies[number]))]
    assert b"".join(one.body for one in sent) == b'[{"a":1},{"a":2},{"a":3},{"a":4}]'
    assert [one.more for one in sent] == [True] * (len(sent) - 1) + [False]
    last = sent[-1]
    assert (last.truncated, last.tokens) == ((3,), 70)


def test_lines_follow_each_other() -> None:
    whole = whole_of(2, "text/csv")
    first, second = whole.jobs
    (part,) = whole.ended(first, reply(b"a,1\r\n"))
    assert part == Reply(7, b"a,1\r\n", "text/csv", truncated=(3,), more=True)
    (last,) = whole.ended(second, reply(b"b,2\r\n"))
    assert last.body == b"b,2\r\n"


def test_the_first_error_is_the_last_word_and_nothing_more_is_computed() -> None:
    whole = whole_of(3)
    first, second, third = whole.jobs
    whole.ended(first, reply(b"[1]"))
    assert whole.ended(third, reply(b"", error="BackendError"))[0].error == "BackendError"
    assert second.cancelled
    assert whole.ended(second, reply(b"[2]")) == []


def test_none_expires_once_one_of_them_is_at_the_engine() -> None:
    whole = whole_of(2)
    whole.take()
    assert all(job.taken for job in whole.jobs)


@pytest.fixture(scope="module")
def loaded(dense: Path) -> Loaded:
    return load_variant(dense, "onnxruntime", [StreamSplit(1, 1)], 128)[0]


def prepared_job(loaded: Loaded, inputs: object, accept: str = "") -> Job:
    job = Job(7, 0.0, 0.0, Timings())
    job.prepared = loaded.handler.prepare(
        RawRequest(msgspec.json.encode({"inputs": inputs}), "application/json", accept)
    )
    return job


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines", "text/csv"])
def test_what_is_cut_is_answered_with_the_bytes_of_the_whole(loaded: Loaded, accept: str) -> None:
    job = prepared_job(loaded, [f"a good film, number {number}" for number in range(20)], accept)
    handler = loaded.handler
    parts = cut(job, handler)
    assert len(parts) == 3
    outputs = handler.infer([[window] for window in job.prepared.windows])  # type: ignore[union-attr]
    want = handler.finish(job.prepared, outputs).body  # type: ignore[arg-type]
    got, start = b"", 0
    for part in parts:
        assert part.prepared is not None
        assert part.whole is not None
        count = len(part.prepared.windows)
        answer = handler.finish(part.prepared, outputs[start : start + count])
        start += count
        got += b"".join(one.body for one in part.whole.ended(part, Reply(7, answer.body)))
    assert got == want


@pytest.mark.parametrize("inputs", ["one text", ["a few"] * 8, {"text": "a", "text_pair": "b"}])
def test_what_is_short_is_not_cut(loaded: Loaded, inputs: object) -> None:
    job = prepared_job(loaded, inputs)
    assert cut(job, loaded.handler) == [job]
