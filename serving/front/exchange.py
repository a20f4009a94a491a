"""One inference request and what came of it, for metrics, logs and traces. Holds nothing of its body."""

import random
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from handlers.payloads.request import Protocol
from serving.front.refusals import Refusal
from serving.wire.timings import Timings

# Of W3C Trace Context: version, trace id, id of the parent's span, flags. No version is ff, no id is all zeros.
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_ID = slice(3, 35)

# The most characters of a client's own X-Request-Id.
ID_LENGTH = 128

ROUTES: dict[Protocol, str] = {"invocations": "/invocations", "v2": "/v2/models/{name}/infer"}


class Identity(NamedTuple):
    """Whose request it is: an id that client and server both log, and its place in the client's trace, if any."""

    request_id: bytes
    traceparent: bytes

    @property
    def trace_id(self) -> str:
        return self.traceparent[_TRACE_ID].decode()

    def echoed(self) -> list[tuple[bytes, bytes]]:
        """The headers that repeat it on the answer."""
        headers = [(b"x-request-id", self.request_id)]
        if self.traceparent:
            headers.append((b"traceparent", self.traceparent))
        return headers


def identity_of(headers: dict[bytes, bytes]) -> Identity:
    """The client's X-Request-Id if it is printable, else the id of its trace, else a fresh one."""
    traceparent = headers.get(b"traceparent", b"")
    if traceparent and not _TRACEPARENT.fullmatch(traceparent):
        traceparent = b""
    request_id = headers.get(b"x-request-id", b"")[:ID_LENGTH]
    if not request_id or not _is_printable(request_id):
        request_id = traceparent[_TRACE_ID] or b"%032x" % random.getrandbits(128)
    return Identity(request_id, traceparent)


def _is_printable(text: bytes) -> bool:
    return text.isascii() and text.decode().isprintable()


@dataclass(slots=True)
class Exchange:
    """One inference request, filled in as it goes its way.

    `arrived` (its headers), `received` (the last byte of its body) and `asked` (when that was read) are of
    `time.perf_counter`. `variant` is empty where there is none of the name that was asked for. `error` is the name of
    the error it was answered with, `refusal` why it was given to no engine, `fault` the exception behind a bug.
    """

    identity: Identity
    protocol: Protocol
    arrived: float
    received: float = 0.0
    asked: float = 0.0
    variant: str = ""
    backend: str = ""
    timings: Timings = field(default_factory=Timings)
    tokens: int = 0
    status: int = 0
    duration_s: float = 0.0
    error: str = ""
    refusal: Refusal | None = None
    fault: Exception | None = None

    @property
    def route(self) -> str:
        return ROUTES[self.protocol]
