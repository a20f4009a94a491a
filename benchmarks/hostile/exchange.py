"""One connection to the server: a case is sent, and what comes back is judged."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Literal

import httptools

from benchmarks.hostile.cases import Case

End = Literal["answered", "closed", "silent", "left"]

# What a traceback or a path of this machine looks like in an answer.
LEAKS = (b"Traceback (most", b'File "/', b"site-packages")


@dataclass(slots=True)
class Outcome:
    """The statuses that came, the contents of the answers, and how it ended."""

    statuses: list[int] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    end: End = "silent"
    why_closed: str = ""
    garbled: bool = False
    reusable: bool = False


class Link(asyncio.Protocol):
    """Sends one case at a time and gathers what is answered."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._begin(0)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def send(self, case: Case, timeout_s: float) -> Outcome:
        """What came of it within `timeout_s` seconds of its last byte."""
        assert self._transport is not None, "this is a bug: a case is sent over an open connection"
        self._begin(max(1, case.answers))
        for piece in case.pieces:
            if self._transport.is_closing():
                break
            self._transport.write(piece)
            if case.pause_s:
                await asyncio.sleep(case.pause_s)
        if case.leaves:
            self.abort()
            self.outcome.end = "left"
            return self.outcome
        try:
            await asyncio.wait_for(self._done.wait(), timeout_s)
        except TimeoutError:
            self.outcome.end = "silent"
        return self.outcome

    def abort(self) -> None:
        """Close at once with a reset, which leaves no port waiting."""
        if self._transport is not None and not self._transport.is_closing():
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _begin(self, expected: int) -> None:
        self._expected = expected
        self._done = asyncio.Event()
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self.outcome = Outcome()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.outcome.garbled = True
            self._done.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.is_set():
            self.outcome.end, self.outcome.why_closed = "closed", repr(exc) if exc else "in order"
            self._done.set()

    # What the parser calls.

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status == 100:
            return
        self.outcome.statuses.append(status)
        self.outcome.contents.append(b"".join(self._parts))
        self._parts.clear()
        if len(self.outcome.statuses) == self._expected:
            self.outcome.end = "answered"
            self.outcome.reusable = self._parser.should_keep_alive()
            self._done.set()


def fault_of(case: Case, outcome: Outcome) -> str:
    """What the server did wrong; empty where it did nothing wrong."""
    if outcome.garbled:
        return "answered with something that is no HTTP"
    if failures := [one for one in outcome.statuses if one >= 500 and not (one == 504 and case.has_deadline)]:
        return f"answered {failures[0]}"
    if any(leak in content for content in outcome.contents for leak in LEAKS):
        return "told a client of its own files"
    if case.leaves:
        return ""
    if outcome.end == "silent":
        return "neither answered nor closed"
    if len(outcome.statuses) < case.answers and not case.may_close:
        return f"closed after {len(outcome.statuses)} of {case.answers} answers ({outcome.why_closed})"
    return ""
