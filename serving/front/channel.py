"""The front's end of the socket to one worker process: requests go out, replies and notices come back."""

import asyncio
import socket
import time
from collections.abc import Callable

from serving.wire.messages import (
    MOST_BYTES_TO_FRONT,
    Ask,
    Cancel,
    Frames,
    Reply,
    ToFront,
    ToWorker,
    frame,
    front_side_decoder,
)


class Channel:
    """`pending` are the requests that are not answered, with their replies to come.

    Replies go to who waits for them, all other messages to `on_message`. `lost` is set once the other side is gone, or
    has sent what cannot be read.
    """

    def __init__(self, on_message: Callable[[ToFront], None]) -> None:
        self._on_message = on_message
        self._transport: asyncio.WriteTransport | None = None
        self._loop = asyncio.get_running_loop()
        self.lost = asyncio.Event()
        self._frames = Frames(front_side_decoder(), self._receive, self.lost.set, MOST_BYTES_TO_FRONT)
        self.pending: dict[int, tuple[Ask, asyncio.Future[Reply]]] = {}
        self.heard_at = time.monotonic()

    async def open(self, connection: socket.socket) -> None:
        self._transport, _ = await self._loop.create_connection(lambda: self._frames, sock=connection)

    @property
    def fault(self) -> str:
        """Why what the worker sent cannot be read; empty where it can."""
        return self._frames.fault

    def ask(self, ask: Ask) -> "asyncio.Future[Reply]":
        reply = self._loop.create_future()
        self.pending[ask.id] = ask, reply
        self._send(ask)
        return reply

    def cancel(self, request_id: int) -> Ask | None:
        """Take back a request that nobody waits for any more; returns it, if it was not answered."""
        asked = self.pending.pop(request_id, None)
        if asked is None:
            return None
        self._send(Cancel(request_id))
        return asked[0]

    def _send(self, message: ToWorker) -> None:
        assert self._transport is not None, "this is a bug: only an open channel is asked"
        # Of a worker that has just ended this is noticed a moment later: what it was asked is lost with it.
        if not self._transport.is_closing():
            self._transport.write(frame(message))

    def _receive(self, message: ToFront) -> None:
        self.heard_at = time.monotonic()
        if isinstance(message, Reply) and not message.more:
            asked = self.pending.pop(message.id, None)
            if asked and not asked[1].done():
                asked[1].set_result(message)
        else:
            self._on_message(message)

    async def until_answered(self, timeout_s: float) -> None:
        """Until all that is pending now is answered, for so long at the most."""
        if self.pending:
            await asyncio.wait([reply for _, reply in self.pending.values()], timeout=timeout_s)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
