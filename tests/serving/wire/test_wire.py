import math

import pytest

from serving.wire.cost import Cost
from serving.wire.messages import (
    Ask,
    BatchDone,
    Beat,
    Cancel,
    Failed,
    Frames,
    Known,
    Ready,
    Reply,
    ToFront,
    ToWorker,
    frame,
    front_side_decoder,
    worker_side_decoder,
)
from serving.wire.timings import Timings

TO_WORKER: list[ToWorker] = [
    Ask(1, b'{"inputs": "one"}', "text/csv", "*/*", "v2", 12, 1.5, math.inf, sent=7.0),
    Cancel(1),
    Ask(2, bytes(range(256)) * 3, "", "", "invocations", None, 0.0, 2.0, isolated=True),
]
TO_FRONT: list[ToFront] = [
    Beat(1, 25, 10**9, 12.5),
    Reply(1, b"[]", "application/json", 2, (0, 3), Timings(1.0, 2.5, 0.1, 0.2, 0.3, 0.4, 0.5)),
    Reply(2, error="Overloaded", message="It is full.", retry_after_s=0.5),
    BatchDone(3, 75, 5, 0.01, 0.02),
    Ready({"labels": ["a", "b"], "engine": {"threads": 2}}, 1.5, Cost(1.0, 2.0, 3.0, 4.0), 96, 2),
    Known({"v2": {"inputs": [], "outputs": []}}),
    Failed("DamagedArtifact", "'model.onnx' is damaged."),
]


def collector() -> tuple[Frames[ToFront], list[ToFront]]:
    arrived: list[ToFront] = []
    return Frames(front_side_decoder(), arrived.append, lambda: None), arrived


@pytest.mark.parametrize("message", TO_WORKER)
def test_every_message_to_a_worker_arrives_as_it_was_sent(message: ToWorker) -> None:
    arrived: list[ToWorker] = []
    Frames(worker_side_decoder(), arrived.append, lambda: None).data_received(frame(message))
    assert arrived == [message]


@pytest.mark.parametrize("message", TO_FRONT)
def test_every_message_to_the_front_arrives_as_it_was_sent(message: ToFront) -> None:
    frames, arrived = collector()
    frames.data_received(frame(message))
    assert arrived == [message]


def test_frames_split_at_any_byte_arrive_whole_and_in_order() -> None:
    stream = b"".join(map(frame, TO_FRONT))
    for split in range(len(stream) + 1):
        frames, arrived = collector()
        frames.data_received(stream[:split])
        frames.data_received(stream[split:])
        assert arrived == TO_FRONT, f"split at {split}"


def test_frames_that_come_byte_by_byte_arrive_as_soon_as_they_are_whole() -> None:
    frames, arrived = collector()
    for message in TO_FRONT:
        *first, last = frame(message)
        before = len(arrived)
        for byte in first:
            frames.data_received(bytes([byte]))
        assert len(arrived) == before
        frames.data_received(bytes([last]))
        assert arrived[-1] == message


def test_a_large_body_arrives_in_chunks() -> None:
    ask = Ask(1, b"x" * (7 * 1024 * 1024), "", "", "invocations", None, 0.0, 0.0)
    arrived: list[ToWorker] = []
    frames, stream = Frames(worker_side_decoder(), arrived.append, lambda: None), frame(ask) + frame(Cancel(1))
    for start in range(0, len(stream), 65536):
        frames.data_received(stream[start : start + 65536])
    assert arrived == [ask, Cancel(1)]


def test_a_message_of_the_other_direction_is_refused() -> None:
    frames, arrived = collector()
    frames.data_received(frame(Cancel(1)))
    assert (frames.fault, arrived) == ("a frame cannot be read: ValidationError", [])


def test_the_loss_of_the_connection_is_told() -> None:
    lost: list[bool] = []
    Frames(front_side_decoder(), lambda _: None, lambda: lost.append(True)).connection_lost(None)
    assert lost == [True]
