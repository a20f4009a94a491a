"""Messages of AWS's event stream encoding, `application/vnd.amazon.eventstream`.

A message is its length (4 bytes), the length of its headers (4), the CRC-32 of these eight bytes (4), the headers, the
payload, and the CRC-32 of all that came before (4); numbers are big-endian. A header is the length of its name (1), the
name, the type of its value (1; 7 is a string), the length of the value (2), the value.
Source: Amazon Transcribe developer guide, "Event stream encoding"; Smithy, "Amazon Event Stream Specification".
"""

import json
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"

_STRING = 7
# Prelude with its CRC, and the CRC at the end.
_AROUND_BYTES = 16


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message, whose headers are strings."""
    packed = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    lengths = _number(len(packed) + len(payload) + _AROUND_BYTES) + _number(len(packed))
    before = lengths + _number(zlib.crc32(lengths)) + packed + payload
    return before + _number(zlib.crc32(before))


def part(payload: bytes) -> bytes:
    """A part of an answer, as `invoke_endpoint_with_response_stream` yields it."""
    headers = {
        ":message-type": "event",
        ":event-type": "PayloadPart",
        ":content-type": "application/octet-stream",
    }
    return message(headers, payload)


def model_stream_error(text: str, code: str) -> bytes:
    """The end of a stream that broke; `code` is ModelInvocationTimeExceeded or StreamBroken."""
    headers = {
        ":message-type": "exception",
        ":exception-type": "ModelStreamError",
        ":content-type": "application/json",
    }
    return message(headers, json.dumps({"Message": text, "ErrorCode": code}).encode())


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([_STRING]) + len(value).to_bytes(2) + value


def _number(value: int) -> bytes:
    return value.to_bytes(4)
