"""What all connections of a server share: their bounds, the answers beyond those, and who is let in when it is full."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Protocol, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serving.front.raw_answer import last_answer
from serving.front.settings import Settings

# Longer than users think between two requests, so that a kept-alive connection is not closed under them.
KEEP_ALIVE_S = 75.0

# How long a connection is read after its last answer, so that the answer is not lost with what the client still sends.
LINGER_S = 5.0

# Connections over the limit, for health and metrics; and how long each of them may take for its one request.
RESERVE, RESERVE_TIMEOUT_S = 16, 1.0

# What may wait on one connection behind the request that is being answered.
MAX_PIPELINED, MAX_PIPELINED_BYTES = 16, 64 * 1024

# The parser is given so many bytes at a time, so that bounds are looked at as often.
SLICE = 32 * 1024

# A refused request with a body of up to so many bytes keeps its connection: the body is read and thrown away.
SMALL_BODY_BYTES = 64 * 1024

# Stands where uvicorn looks for the request that is being answered, once that was answered without its help.
ANSWERED = cast(
    "RequestResponseCycle", SimpleNamespace(response_complete=True, more_body=False, message_event=asyncio.Event())
)

_HEALTH = (b"/ping", b"/metrics")


class Connection(Protocol):
    """What the reserve needs of a connection."""

    def refuse(self, answer: bytes) -> None:
        """Send a last answer, and close."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """The last answers of connections that overstep a bound."""

    malformed: bytes
    header_timeout: bytes
    body_timeout: bytes
    url_too_long: bytes
    header_too_large: bytes
    too_many_headers: bytes
    full: bytes
    pipelined: bytes


def make_answers(settings: Settings) -> Answers:
    soon = (b"retry-after", b"1")
    return Answers(
        last_answer(400, "The request is not HTTP/1.1 as the standard has it."),
        last_answer(408, f"The headers did not arrive within {settings.header_timeout_s:g} s."),
        last_answer(408, f"The body did not arrive within {settings.body_timeout_s:g} s."),
        last_answer(414, f"The URL is over the limit of {settings.max_url_bytes} bytes."),
        last_answer(431, f"The headers are over the limit of {settings.max_header_bytes} bytes."),
        last_answer(431, f"The request has over {settings.max_header_count} headers."),
        last_answer(503, f"The server has its {settings.max_connections} connections; try again.", soon),
        last_answer(503, "Too much waits on this connection; send it after the answers, or on another one.", soon),
    )


@dataclass(frozen=True, slots=True)
class Door:
    """`refuse_early(url, headers, is_last)` is the answer to a POST that is refused by its headers alone, or None;
    `on_malformed` is told of each request that is not HTTP."""

    settings: Settings
    answers: Answers
    refuse_early: Callable[[bytes, list[tuple[bytes, bytes]], Callable[[], bool]], bytes | None]
    on_malformed: Callable[[], None]
    reserve: deque[Connection] = field(default_factory=deque)

    def broken_bound(self, url: bytes, headers: list[tuple[bytes, bytes]], at_most_bytes: int) -> bytes | None:
        """The answer to headers that overstep a bound, where they have `at_most_bytes`."""
        settings, answers = self.settings, self.answers
        if len(url) > settings.max_url_bytes:
            return answers.url_too_long
        if len(headers) > settings.max_header_count:
            return answers.too_many_headers
        # Counted only where they may be too large.
        if at_most_bytes > settings.max_header_bytes:
            size = len(url) + sum(len(name) + len(value) + 4 for name, value in headers)
            if size > settings.max_header_bytes:
                return answers.header_too_large
        return None

    def let_into_reserve(self, connection: Connection) -> None:
        """The newest have their chance: of those that have asked nothing yet, the oldest makes room."""
        self.reserve.append(connection)
        if len(self.reserve) > RESERVE:
            self.reserve.popleft().refuse(self.answers.full)

    def leave_reserve(self, connection: Connection) -> None:
        if connection in self.reserve:
            self.reserve.remove(connection)


class LingeringTransport:
    """A transport as an answer sees it whose request may not have been read to its end: `close` knows better."""

    def __init__(self, transport: asyncio.Transport, close: Callable[[], None]) -> None:
        self.write, self.is_closing, self.close = transport.write, transport.is_closing, close


def note(cycle: RequestResponseCycle, name: str, value: float) -> None:
    """Tell the route of a request something of its connection, in the request's scope."""
    cast("dict[str, object]", cycle.scope)[name] = value


def is_health(url: bytes) -> bool:
    """Whether health or metrics are asked for, which are answered while every ordinary connection is taken."""
    path = url.partition(b"?")[0]
    return path in _HEALTH or path.startswith(b"/v2/health/")
