"""Streams in front of an engine whose calls no two requests share."""

from dataclasses import dataclass

from handlers.backends.base import Placement, SessionInfo
from tests.serving.worker.test_streams import Bench, EchoHandler, body, job


@dataclass
class ApartHandler(EchoHandler):
    @property
    def session_info(self) -> SessionInfo:
        return SessionInfo("toy", "1", "float32", Placement(), shares_calls=False)


def test_each_request_has_a_call_of_its_own_with_all_of_its_texts() -> None:
    bench = Bench(ApartHandler(), batch_tokens=20)
    bench.hold()
    bench.streams.put(job(1, 11, 12, 13, 14, tokens=30))
    bench.streams.put(job(2))
    bench.streams.put(job(3))
    replies, batches = bench.until_batches(4)
    assert bench.handler.batched == [[0], [11, 12, 13, 14], [2], [3]]
    assert body(replies[1]) == [11, 12, 13, 14]
    assert [batch.tokens for batch in batches] == [10, 120, 10, 10]


def test_a_reply_tells_the_tokens_of_all_texts_of_its_request() -> None:
    bench = Bench(ApartHandler())
    bench.streams.put(job(1, 11, 12, tokens=50))
    replies, _ = bench.until_batches(1)
    assert replies[1].tokens == 100


def test_who_is_cancelled_or_too_late_takes_nobody_s_call() -> None:
    bench = Bench(ApartHandler())
    bench.hold()
    gone, late = job(1, 11, 12), job(2, queue_by=0.0)
    gone.cancelled = True
    for one in (gone, late, job(3)):
        bench.streams.put(one)
    replies, _ = bench.until_batches(2)
    assert bench.handler.batched == [[0], [3]]
    assert replies[2].error == "Overloaded"
    assert body(replies[3]) == [3]
    assert 1 not in replies
