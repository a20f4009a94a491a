"""Calls of a variant's own code for several requests: what is done when one fails, and what the front is told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from handlers.handler import Answer, Prepared
from handlers.user_code import UserCode
from model_store.errors import BackendError, ParetoServeError
from serving.wire.black_box import BlackBox
from serving.wire.messages import BatchDone, Reply
from serving.worker.job import Job
from serving.worker.own_code import run_own_code
from serving.worker.streams import Streams
from tests.serving.worker.test_streams import OwnModelHandler, body, job

TOGETHER = UserCode(predict_batch_fn=lambda data, model: data, batch_size=3)


@dataclass
class OwnBatches(OwnModelHandler):
    """Takes lists, notes them, and fails where one of a list is an error."""

    user: UserCode = TOGETHER

    def __post_init__(self) -> None:
        self.calls: list[list[Any]] = []

    def run_together(self, several: Sequence[Prepared]) -> list[Answer | ParetoServeError]:
        self.calls.append([one.data for one in several])
        if any(isinstance(one.data, Exception) for one in several):
            raise BackendError("The call failed.")
        return [self._answer(one) for one in several]

    def run_alone(self, prepared: Prepared) -> Answer:
        self.calls.append([prepared.data])
        if isinstance(prepared.data, Exception):
            raise prepared.data
        return self._answer(prepared)

    def _answer(self, prepared: Prepared) -> Answer:
        return Answer(str(prepared.data).encode(), "application/json")


def own(number: int, data: Any) -> Job:
    one = job(number)
    one.prepared = replace(one.prepared, data=data, windows=())  # type: ignore[type-var]
    return one


def unthreaded(handler: OwnBatches) -> Streams:
    return Streams(handler, 0, 1, lambda messages: None, BlackBox(BlackBox.make_file(1), 1))


def run(handler: OwnBatches, *jobs: Job) -> tuple[list[list[Reply]], list[BatchDone], list[list[int]]]:
    """The replies of each call, the calls, and which requests were noted as being worked on."""
    noted: list[list[int]] = []
    parts = list(run_own_code(handler, jobs, 0.0, lambda ids, _: noted.append(list(ids))))
    replies = [[one for one in part if isinstance(one, Reply)] for part in parts]
    return replies, [one for part in parts for one in part if isinstance(one, BatchDone)], noted


def test_requests_of_one_call_are_answered_together() -> None:
    handler = OwnBatches()
    ((first, second),), (done,), noted = run(handler, own(1, 10), own(2, 20))
    assert (first.id, body(first), second.id, body(second)) == (1, 10, 2, 20)
    assert (done.requests, done.tokens, done.padding_tokens) == (2, 2, 0)
    assert (handler.calls, noted) == ([[10, 20]], [[1, 2]])


def test_after_a_call_that_failed_each_has_its_own_and_is_answered_as_soon_as_that_ends() -> None:
    handler = OwnBatches()
    replies, done, noted = run(handler, own(1, 10), own(2, BackendError("bad")), own(3, 30))
    assert [[one.id for one in part] for part in replies] == [[], [1], [2], [3]]
    assert (replies[2][0].error, replies[2][0].message) == ("BackendError", "bad")
    assert [one.requests for one in done] == [3, 1, 1, 1]
    assert noted == [[1, 2, 3], [1], [2], [3]], "a death would be blamed on one"


def test_who_has_left_by_then_is_not_asked_again() -> None:
    handler, gone = OwnBatches(), own(1, 10)
    gone.cancelled = True
    replies, _, _ = run(handler, gone, own(2, BackendError("bad")))
    assert [[one.id for one in part] for part in replies] == [[], [2]]


def test_a_stream_takes_what_waits_up_to_the_size_of_a_list() -> None:
    handler = OwnBatches()
    streams = unthreaded(handler)
    for number in range(5):
        streams.put(own(number, number))
    while streams.run_next():
        pass
    assert handler.calls == [[0, 1, 2], [3, 4]]


def test_a_suspect_runs_alone() -> None:
    handler = OwnBatches()
    streams = unthreaded(handler)
    for number in range(2):
        streams.put(own(number, number))
    streams.put(replace(own(2, 2), isolated=True))
    while streams.run_next():
        pass
    assert handler.calls == [[2], [0, 1]]
