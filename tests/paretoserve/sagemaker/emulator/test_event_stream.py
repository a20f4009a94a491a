import json
from typing import Any

import pytest
from botocore.eventstream import ChecksumMismatch, EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from paretoserve.sagemaker.emulator import event_stream


def _read(data: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return list(buffer)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_botocores_own_parser_reads_every_part(payloads: list[bytes]) -> None:
    events = _read(b"".join(map(event_stream.part, payloads)))
    assert [event.payload for event in events] == payloads
    assert all(event.headers[":event-type"] == "PayloadPart" for event in events)


def test_an_error_names_its_kind_and_its_code() -> None:
    (event,) = _read(event_stream.model_stream_error("it broke", "StreamBroken"))
    assert (event.headers[":message-type"], event.headers[":exception-type"]) == ("exception", "ModelStreamError")
    assert json.loads(event.payload) == {"Message": "it broke", "ErrorCode": "StreamBroken"}


@pytest.mark.parametrize("place", [9, 30, -1])
def test_a_byte_that_is_changed_on_the_way_is_found(place: int) -> None:
    damaged = bytearray(event_stream.part(b"payload of some length"))
    damaged[place] ^= 1
    with pytest.raises(ChecksumMismatch):
        _read(bytes(damaged))
