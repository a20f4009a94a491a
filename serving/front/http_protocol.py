"""HTTP on one connection: uvicorn's protocol, with bounds on all that a client can make it keep or wait for."""

import asyncio
import time
from typing import Any, Literal, cast

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.front.asgi import LAST_ANSWER, RECEIVED
from serving.front.http_door import (
    ANSWERED,
    KEEP_ALIVE_S,
    LINGER_S,
    MAX_PIPELINED,
    MAX_PIPELINED_BYTES,
    RESERVE_TIMEOUT_S,
    SLICE,
    SMALL_BODY_BYTES,
    Door,
    LingeringTransport,
    is_health,
    note,
)
from serving.front.http_upgrade import head_without_upgrade, new_parser
from serving.front.raw_answer import status_of_answer

Phase = Literal["new", "headers", "body", "answering", "idle", "leaving"]


class _Ended(Exception):
    """Stops the parser: the connection has had its last answer."""


class BoundedProtocol(HttpToolsProtocol):
    """`age` is called every now and then for all connections; none has a timer of its own.

    Phases: new (nothing was sent yet), headers and body (a request arrives), answering (it is complete), idle (it was
    answered, and the connection is kept), leaving (what arrives is thrown away until the client closes).
    """

    def __init__(self, door: Door, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._door = door
        self._phase: Phase = "new"
        self._in_reserve = False
        # In this phase.
        self._waited_s = 0.0
        # Fed to the parser since it last made something of it, and being fed.
        self._unparsed = self._feeding = 0
        # Of the request that arrives: what its Content-Length says, None where it is sent in chunks.
        self._length: int | None = 0
        self._is_small = self._keeps_alive = True
        self._pipelined_bytes = 0
        # Nothing more is read; what is left to be said is `_last_answer`.
        self._is_deaf = False
        self._last_answer = b""

    # What the transport calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        is_full = len(self.connections) >= self._door.settings.max_connections
        super().connection_made(transport)
        if is_full:
            self._in_reserve = True
            self._door.let_into_reserve(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave_reserve(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if len(data) <= SLICE:
            self._feed(data)
            return
        parts = memoryview(data)
        for start in range(0, len(data), SLICE):
            self._feed(parts[start : start + SLICE])

    def _feed(self, data: bytes | memoryview) -> None:
        if self._is_deaf:
            return
        self._feeding = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._is_deaf:
                self._door.on_malformed()
                self.refuse(self._door.answers.malformed)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay_with_http(bytes(data[upgrade.args[0] :]))
        else:
            if self._phase in ("headers", "body"):
                self._see_whether_it_gets_on(len(data))

    def _see_whether_it_gets_on(self, size: int) -> None:
        """Headers, chunks' extensions and trailers are kept by the parser until they are complete."""
        self._unparsed += size
        # Up to a slice of these bytes belongs to what came before.
        if self._unparsed > self._door.settings.max_header_bytes + SLICE:
            is_url = self._phase == "headers" and not self.headers
            answers = self._door.answers
            self.refuse(answers.url_too_long if is_url else answers.header_too_large)

    def _stay_with_http(self, rest: bytes) -> None:
        """No other protocol is spoken here. The parser takes a body for that one: it begins again without the offer."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(self._door.answers.malformed)
            return
        head = head_without_upgrade(method, self.url, self.parser.get_http_version(), self.headers)
        self.parser = new_parser(self)
        self._feed(head + rest)

    # What the parser calls.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._phase, self._waited_s, self._unparsed, self._length = "headers", 0.0, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase != "headers":
            return  # a trailer
        name = name.lower()
        if name == b"content-length":
            self._length = int(value)  # the parser has seen that it is a number
        elif name == b"transfer-encoding":
            self._length = None
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return  # see `_stay_with_http`
        if broken := self._broken_bound():
            self._refuse_now(broken)
        self._is_small = self._length is not None and self._length <= SMALL_BODY_BYTES
        if self.cycle is not None and not self.cycle.response_complete:
            self._pipeline_another()
        elif self.parser.get_method() == b"POST" and self._is_refused_early():
            return
        super().on_headers_complete()
        self._phase, self._waited_s, self._unparsed = "body", 0.0, 0
        if self._in_reserve:
            self.cycle.keep_alive = False
        elif not self._is_small:
            # An answer that comes before the end of its body ends the connection.
            self._keeps_alive, self.cycle.keep_alive = self.cycle.keep_alive, False
            self.cycle.transport = cast("asyncio.Transport", LingeringTransport(self.transport, self.close))

    def _broken_bound(self) -> bytes | None:
        """The answer to a request that is not taken, whatever its route says."""
        if broken := self._door.broken_bound(self.url, self.headers, self._unparsed + self._feeding):
            return broken
        if self._in_reserve:
            self._door.leave_reserve(self)
            return None if is_health(self.url) else self._door.answers.full
        return None

    def _pipeline_another(self) -> None:
        """A request that comes before the one ahead of it is answered waits outside all queues and budgets."""
        self._pipelined_bytes = (self._pipelined_bytes if self.pipeline else 0) + (self._length or 0)
        is_too_much = self._length is None or self._pipelined_bytes > MAX_PIPELINED_BYTES
        if is_too_much or len(self.pipeline) >= MAX_PIPELINED:
            self._refuse_now(self._door.answers.pipelined)

    def _is_refused_early(self) -> bool:
        """Refuse a request by its headers alone where its variant is full: there is no task, and no body is kept."""
        answer = self._door.refuse_early(self.url, self.headers, self._ends_if_refused)
        if answer is None:
            return False
        if self._ends_if_refused():
            self._refuse_now(answer)
        self.transport.write(answer)
        self.cycle = ANSWERED
        self._phase, self._waited_s, self._unparsed = "body", 0.0, 0
        return True

    def _ends_if_refused(self) -> bool:
        """Whether the connection ends with an answer for which the body is not read, or is to end anyway."""
        if not self._is_small or self.expect_100_continue:
            return True
        return not self.parser.should_keep_alive() or self.parser.get_http_version() == "1.0"

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        self._unparsed = 0
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._phase != "body":
            return  # see `_stay_with_http`
        cycle = self.cycle
        self._waited_s = 0.0
        if cycle.response_complete:
            self._phase = "idle"
            return
        self._phase = "answering"
        note(cycle, RECEIVED, time.perf_counter())
        if not self._is_small:
            cycle.keep_alive = self._keeps_alive and not self._in_reserve
        cycle.more_body = False
        cycle.message_event.set()

    # What the answer calls.

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._waited_s = 0.0
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_answer:
            self._send_last_answer()
        elif self._phase == "answering":
            self._phase = "idle"

    # The end.

    def refuse(self, answer: bytes) -> None:
        """Answer what is not read to its end, after all that came before it, and read no more."""
        if self._is_deaf or self.transport.is_closing():
            return
        self._last_answer, self._is_deaf = answer, True
        if self._phase == "body" and self._give_up_body():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._send_last_answer()

    def _refuse_now(self, answer: bytes) -> None:
        """The same in a call of the parser, which stops there."""
        self.refuse(answer)
        raise _Ended

    def _give_up_body(self) -> bool:
        """Take a request whose body will not be complete from whoever waits for it; True where the end has come."""
        cycle = self.cycle
        if cycle.response_complete or cycle.response_started:
            self._linger()  # it has had its answer
            return True
        if self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            return True  # those before it are answered first
        note(cycle, LAST_ANSWER, status_of_answer(self._last_answer))
        cycle.disconnected = True
        cycle.message_event.set()
        self._send_last_answer()
        return True

    def _send_last_answer(self) -> None:
        self.transport.write(self._last_answer)
        if self._in_reserve or self._phase == "new":
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close for writing only: a connection that is closed with something to be read loses what was sent on it."""
        self._phase, self._waited_s, self._is_deaf = "leaving", 0.0, True
        self.flow.resume_reading()
        self.transport.write_eof()

    def close(self) -> None:
        """The answer was the last one; its request may still arrive."""
        if self._phase == "body":
            self._linger()
        else:
            self.transport.close()

    def shutdown(self) -> None:
        self._keeps_alive = False
        super().shutdown()

    # Time.

    def age(self, seconds: float) -> None:
        """Another `seconds` have passed: end what has taken too long."""
        settings, phase = self._door.settings, self._phase
        is_our_turn = self.flow.read_paused or (phase == "answering" and not self.flow.write_paused)
        self._waited_s = 0.0 if is_our_turn else self._waited_s + seconds
        if phase == "new" and self._waited_s > (RESERVE_TIMEOUT_S if self._in_reserve else settings.header_timeout_s):
            self.transport.close()
        elif phase == "headers" and self._waited_s > settings.header_timeout_s:
            self.refuse(self._door.answers.header_timeout)
        elif phase == "body" and self._waited_s > settings.body_timeout_s:
            self.refuse(self._door.answers.body_timeout)
        elif phase == "idle" and self._waited_s > KEEP_ALIVE_S:
            self.transport.close()
        elif (phase == "leaving" and self._waited_s > LINGER_S) or self._waited_s > KEEP_ALIVE_S + LINGER_S:
            self.transport.abort()
