"""One HTTP/1.1 connection of the load client: a request goes out, its answer comes back, nothing else happens."""

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import httptools

Outcome = int | Literal["timeout", "connection error", "not sent"]
"""A status code; or why there is none. "not sent" is the client's own fault: no connection was free, or it was late."""


@dataclass(slots=True)
class Exchange:
    """A request under way. `due_s` is when it should have been sent, and where its time begins."""

    body: int
    due_s: float
    sent_s: float
    """When it was handed to a connection, which may have to be opened first."""
    timer: asyncio.TimerHandle | None = None
    connection: "Connection | None" = None


class Listener(Protocol):
    """Who hears of the end of exchanges."""

    keeps_answers: bool
    keeps_errors: bool
    """Whether it looks into the bodies of answers from 400 on."""

    def answered(self, connection: "Connection", exchange: Exchange, answer: "Answer") -> None: ...

    def lost(self, connection: "Connection", exchange: Exchange | None) -> None:
        """The connection is gone, with the exchange that was under way on it, if any."""


@dataclass(slots=True)
class Answer:
    status: int
    retry_after: bool
    server_timing: str
    content: bytes
    """Empty unless the listener keeps it."""
    error_type: str = ""
    """As SageMaker names an error."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time. `reusable` turns False when the server says that it will close."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._retry_after = False
        self._server_timing = self._error_type = b""
        self._parts: list[bytes] = []
        self.reusable = True

    def send(self, request: bytes, exchange: Exchange) -> None:
        assert self._transport is not None, "this is a bug: requests are sent on open connections"
        assert self._exchange is None, "this is a bug: a connection carries one exchange at a time"
        self._exchange = exchange
        exchange.connection = self
        self._transport.write(request)

    def abort(self) -> None:
        """Close at once, without telling the listener of the exchange under way."""
        self._exchange = None
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            assert self._transport is not None, "this is a bug: data came over an open connection"
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reusable = False
        exchange, self._exchange = self._exchange, None
        self._listener.lost(self, exchange)

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._retry_after = False
        self._server_timing = self._error_type = b""
        self._parts.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"retry-after":
                self._retry_after = True
            case b"server-timing":
                self._server_timing = value
            case b"x-amzn-errortype":
                self._error_type = value

    def on_body(self, body: bytes) -> None:
        listener = self._listener
        if listener.keeps_answers or (listener.keeps_errors and self._parser.get_status_code() >= 400):
            self._parts.append(body)

    def on_message_complete(self) -> None:
        exchange, self._exchange = self._exchange, None
        self.reusable = self._parser.should_keep_alive()
        if exchange is not None:
            status, timing = self._parser.get_status_code(), self._server_timing.decode("latin-1")
            error_type = self._error_type.decode("latin-1")
            answer = Answer(status, self._retry_after, timing, b"".join(self._parts), error_type)
            self._listener.answered(self, exchange, answer)
