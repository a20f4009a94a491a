"""What a worker process sends to its front."""

import pytest

from serving.wire.messages import BatchDone, Frames, Reply, ToFront, front_side_decoder
from serving.worker.process import UNSENDABLE, _framed


def sent(message: ToFront) -> ToFront:
    received: list[ToFront] = []
    Frames(front_side_decoder(), received.append, lambda: None).data_received(_framed(message))
    return received[0]


def test_a_reply_that_no_frame_can_hold_is_an_error_of_its_request() -> None:
    reply = sent(Reply(7, message="half of a pair: \ud800"))
    assert isinstance(reply, Reply)
    assert (reply.id, reply.error, reply.message) == (7, "ParetoServeError", UNSENDABLE)


def test_a_reply_that_a_frame_can_hold_is_sent_as_it_is() -> None:
    assert sent(Reply(7, b"body", "text/csv")) == Reply(7, b"body", "text/csv")


def test_what_is_no_reply_and_cannot_be_sent_ends_the_worker() -> None:
    with pytest.raises((TypeError, ValueError, OverflowError)):
        _framed(BatchDone(2**70, 0, 0, 0.0, 0.0))
