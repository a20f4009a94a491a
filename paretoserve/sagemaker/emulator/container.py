"""The HTTP client that asks the container: kept connections, answers in parts as they come, nothing tried again."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httptools

Headers = Iterable[tuple[bytes, bytes]]

_READ_BYTES = 64 * 1024
# A connection that was idle for longer may be closed by the container at any moment.
_IDLE_S = 30.0
_MOST_IDLE = 256


class NoAnswer(Exception):
    """The container cannot be reached, or closed the connection before its answer was complete."""


class Answer:
    """An answer whose headers are there; its body comes while it is read. Header names are in lower case."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection
        self.status = connection.status
        self.headers = dict(connection.headers)

    async def parts(self) -> AsyncIterator[bytes]:
        """The parts of the body as they come; raises NoAnswer where it breaks off."""
        while (part := await self._connection.next_part()) is not None:
            yield part

    async def read(self, max_bytes: int) -> bytes:
        """The whole body, or as much of it as shows that it is over `max_bytes`; raises NoAnswer."""
        body = bytearray()
        async for part in self.parts():
            body += part
            if len(body) > max_bytes:
                break
        return bytes(body)


class Container:
    """A server that is asked over as many connections as there are questions at once."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        assert address.hostname, "this is a bug: a container has an address"
        self._host, self._port = address.hostname, address.port or 80
        self._at = b"host: %s" % address.netloc.encode()
        self._idle: deque[_Connection] = deque(maxlen=_MOST_IDLE)

    @asynccontextmanager
    async def asked(self, method: str, path: str, headers: Headers = (), body: bytes = b"") -> AsyncIterator[Answer]:
        """Ask, and read the answer within the block; raises NoAnswer there, too."""
        connection = self._kept() or await self._connected()
        try:
            length = b"content-length: %d" % len(body)
            lines = [b"%s %s HTTP/1.1" % (method.encode(), path.encode()), self._at, length]
            lines += [b"%s: %s" % header for header in headers]
            await connection.ask(b"\r\n".join([*lines, b"", body]) if body else b"\r\n".join([*lines, b"", b""]))
            yield Answer(connection)
        finally:
            if connection.is_free:
                connection.idle_since_s = time.monotonic()
                if len(self._idle) == _MOST_IDLE:
                    self._idle.popleft().close()
                self._idle.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        """Close the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    def _kept(self) -> "_Connection | None":
        """The connection that was used last, of those that can be used."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and time.monotonic() - connection.idle_since_s < _IDLE_S:
                return connection
            connection.close()
        return None

    async def _connected(self) -> "_Connection":
        try:
            return _Connection(*await asyncio.open_connection(self._host, self._port, limit=_READ_BYTES))
        except OSError as exc:
            raise NoAnswer(f"The container cannot be reached ({exc.strerror}).") from exc


class _Connection:
    """One connection, and the parser that calls it back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._parser = httptools.HttpResponseParser(self)
        self._parts: deque[bytes] = deque()
        self._has_headers = self._is_over = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.idle_since_s = 0.0

    @property
    def is_open(self) -> bool:
        return not (self._reader.at_eof() or self._writer.is_closing())

    @property
    def is_free(self) -> bool:
        """Whether its answer is over, and the container lets it be used again."""
        return self._is_over and not self._parts and self._parser.should_keep_alive() and self.is_open

    async def ask(self, request: bytes) -> None:
        """Send a request, and wait for the headers of its answer."""
        self._has_headers = self._is_over = False
        self.headers = []
        # The answer may come before the container has read the whole request, so nobody waits for that.
        self._writer.write(request)
        while not self._has_headers:
            await self._feed()

    async def next_part(self) -> bytes | None:
        """The next part of the body, None after the last one."""
        while not self._parts and not self._is_over:
            await self._feed()
        return self._parts.popleft() if self._parts else None

    def close(self) -> None:
        self._writer.close()

    async def _feed(self) -> None:
        try:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise NoAnswer("The container closed the connection before its answer was complete.")
            self._parser.feed_data(data)
        except (OSError, httptools.HttpParserError) as exc:
            raise NoAnswer("The connection to the container broke off.") from exc

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._has_headers = True

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._is_over = True
