"""What a worker sends may be anything: messages or a fault, never a hang, never much more memory than its bytes."""

import asyncio
import random
import struct
import tracemalloc

import msgspec
import pytest

from serving.wire.cost import NO_COST
from serving.wire.messages import Frames, Ready, Reply, ToFront, frame, front_side_decoder
from tests.serving.wire.test_wire import TO_FRONT

MOST_BYTES, ROUNDS, SEED = 4096, 3000, 7


class Transport(asyncio.WriteTransport):
    """One that is told to close."""

    aborted = False

    def abort(self) -> None:
        self.aborted = True


def opened(arrived: list[ToFront]) -> tuple[Frames[ToFront], Transport]:
    frames, transport = Frames(front_side_decoder(), arrived.append, lambda: None, MOST_BYTES), Transport()
    frames.connection_made(transport)
    return frames, transport


def spoilt(chance: random.Random, stream: bytes) -> bytes:
    """The stream with some of its bytes changed, cut out or added."""
    changed = bytearray(stream)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(changed))
        match chance.randrange(4):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                del changed[at : at + chance.randrange(1, 9)]
            case 2:
                changed[at:at] = chance.randbytes(chance.randrange(1, 9))
            case _:
                changed[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(changed)


def test_whatever_bytes_come_there_are_messages_or_a_fault_and_little_memory() -> None:
    chance = random.Random(SEED)
    stream = b"".join(map(frame, TO_FRONT))
    faults = 0
    tracemalloc.start()
    for _ in range(ROUNDS):
        arrived: list[ToFront] = []
        frames, transport = opened(arrived)
        given = chance.randbytes(chance.randrange(1, 200)) if chance.random() < 0.3 else spoilt(chance, stream)
        while given:
            size = chance.randrange(1, len(given) + 1)
            frames.data_received(given[:size])
            given = given[size:]
        assert all(isinstance(message, ToFront) for message in arrived)
        assert transport.aborted == bool(frames.fault)
        faults += bool(frames.fault)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ROUNDS / 2 < faults < ROUNDS
    assert peak < 4 * 2**20


@pytest.mark.parametrize("length", [MOST_BYTES + 1, 2**31, 2**32 - 1])
def test_a_length_that_no_message_has_is_a_fault_before_its_bytes_come(length: int) -> None:
    frames, transport = opened([])
    frames.data_received(struct.pack("<I", length))
    assert (frames.fault, transport.aborted) == ("a frame is too large", True)


@pytest.mark.parametrize("head", [b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"])
@pytest.mark.parametrize("place", ["the message", "facts", "a field"])
def test_a_message_that_says_it_is_huge_inside_is_a_fault_and_takes_no_memory(head: bytes, place: str) -> None:
    whole = {
        "the message": head,
        "facts": b"\x92\xa5ready" + head,
        "a field": msgspec.msgpack.encode(Reply(1))[:-1] + head,
    }[place]
    frames, transport = opened([])
    tracemalloc.start()
    frames.data_received(struct.pack("<I", len(whole)) + whole)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (frames.fault != "", transport.aborted, peak < 2**20) == (True, True, True)


def test_a_message_that_is_nested_without_end_is_a_fault() -> None:
    frames, transport = opened([])
    facts = b"\x91" * 4000
    frames.data_received(struct.pack("<I", len(facts) + 7) + b"\x92\xa5ready" + facts)
    assert transport.aborted


def test_after_a_fault_nothing_more_is_read_but_what_came_before_it_was() -> None:
    arrived: list[ToFront] = []
    frames, transport = opened(arrived)
    frames.data_received(frame(TO_FRONT[0]) + frame(TO_FRONT[1]) + b"\x01\x00\x00\x00\xc0" + frame(TO_FRONT[2]))
    frames.data_received(frame(TO_FRONT[3]))
    assert arrived == TO_FRONT[:2]
    assert (frames.fault, transport.aborted) == ("a frame cannot be read: ValidationError", True)


def test_a_message_as_large_as_may_be_is_read() -> None:
    arrived: list[ToFront] = []
    frames, _ = opened(arrived)
    room = MOST_BYTES - len(frame(Ready({"fact": "x" * 300}, 0.0, NO_COST, 1, 1))) + 4 + 300
    ready = Ready({"fact": "x" * room}, 0.0, NO_COST, 1, 1)
    assert len(frame(ready)) == MOST_BYTES + 4
    frames.data_received(frame(ready))
    assert arrived == [ready]
