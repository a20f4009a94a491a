"""What a worker process sends to its front, and what it does beside."""

import asyncio
import socket
from pathlib import Path

import pytest

from serving.cpu_plan import StreamSplit
from serving.wire.black_box import BlackBox
from serving.wire.messages import BatchDone, Frames, Reply, ToFront, front_side_decoder
from serving.worker import process
from serving.worker.process import UNSENDABLE, Worker, _framed
from serving.worker.start import load_variant


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


@pytest.mark.timeout(60)
def test_a_worker_gives_back_free_memory_while_it_serves(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The front's end is open for as long as the loop runs: a worker whose front is gone ends its process.
    front, connection = socket.socketpair()

    async def until_it_does() -> None:
        gives_back = asyncio.Event()

        async def giving_back() -> None:
            gives_back.set()

        monkeypatch.setattr(process, "give_back_now_and_then", giving_back)
        loaded, ready = load_variant(dense, "onnxruntime", [StreamSplit(1, 1)], 128)
        worker = Worker(loaded, BlackBox(BlackBox.make_file(1), 1), asyncio.get_running_loop())
        serving = asyncio.create_task(worker.run(connection, ready, beat_s=1.0))
        await gives_back.wait()
        serving.cancel()

    asyncio.run(until_it_does())
    front.close()
    connection.close()
