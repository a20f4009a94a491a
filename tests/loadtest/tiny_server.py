"""A tiny HTTP server in a thread, which answers as a script tells it to."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

Behaviour = Literal["ok", "busy", "silent", "hang up", "ok, then close"]

_ANSWERS = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "ok, then close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
}


@dataclass(slots=True)
class TinyServer:
    """Answers each request after `service_s`; `script` says how the n-th is answered. Remembers the bodies it got."""

    service_s: float = 0.0
    script: Callable[[int], Behaviour] = lambda number: "ok"
    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer(reader, writer):
                pass
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        behaviour = self.script(len(self.bodies))
        self.bodies.append(await reader.readexactly(length))
        await asyncio.sleep(self.service_s)
        if behaviour == "silent":
            await reader.read()  # until the client gives up
            return False
        if behaviour == "hang up":
            return False
        writer.write(_ANSWERS[behaviour])
        await writer.drain()
        return behaviour != "ok, then close"


@contextmanager
def served(server: TinyServer) -> Iterator[TinyServer]:
    """Serve in a thread; `server.port` is set inside the block."""
    ready, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", server.port)
        server.port = listener.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        listener.close()

    def main() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run())

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
