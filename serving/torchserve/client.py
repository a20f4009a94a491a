"""One HTTP/1.1 connection to TorchServe over a Unix socket: a request goes out, its answer comes back.

TorchServe states the length of every answer; that is all of HTTP that is needed here.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes


def post(target: str, content_type: str, body: bytes = b"") -> bytes:
    """The bytes of a request."""
    head = f"POST {target} HTTP/1.1\r\nhost: torchserve\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}"
    return head.encode() + _END + body


def get(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nhost: torchserve".encode() + _END


class Connection(asyncio.Protocol):
    """Carries one request at a time; `on_response` gets the response, or None once the connection is lost."""

    def __init__(self, on_response: "Callable[[Connection, Response | None], None]") -> None:
        self._on_response = on_response
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def send(self, request: bytes) -> None:
        assert self._transport is not None, "this is a bug: requests are sent on open connections"
        self._transport.write(request)

    def close(self) -> None:
        self._on_response = lambda *_: None
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(_END)
        if head_end < 0:
            return
        length = _LENGTH.search(self._buffer, 0, head_end)
        start = head_end + len(_END)
        stop = start + (int(length[1]) if length else 0)
        if len(self._buffer) >= stop:
            status = int(self._buffer.split(b" ", 2)[1][:3])
            response = Response(status, bytes(self._buffer[start:stop]))
            self._buffer.clear()
            self._on_response(self, response)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_response(self, None)


async def connect(path: Path, on_response: Callable[[Connection, Response | None], None]) -> Connection:
    """Raises OSError where nobody listens."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_unix_connection(lambda: Connection(on_response), str(path))
    return connection


async def ask_once(path: Path, request: bytes) -> Response | None:
    """The answer to one request, on a connection of its own; None where there is none."""
    answered: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

    def on_response(_: Connection, response: Response | None) -> None:
        if not answered.done():
            answered.set_result(response)

    try:
        connection = await connect(path, on_response)
    except OSError:
        return None
    connection.send(request)
    try:
        return await answered
    finally:
        connection.close()
