"""A worker without a model, which answers each request with its own body at once: what is left is the front.

Started by the front in place of an interpreter: `INTERPRETER -P -m serving.wire.lifeline FD CONFIG MODULE`.
"""

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path

import uvloop

from serving.wire.cost import NO_COST
from serving.wire.messages import Ask, Beat, Frames, Ready, Reply, ToWorker, frame, worker_side_decoder

BEAT_S = 0.5


def interpreter(folder: Path) -> Path:
    """An executable in `folder` that runs this worker where an interpreter would run the real one."""
    script = folder / "echo-python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m benchmarks.harness.echo_worker "$4"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


class _Echo(Frames[ToWorker]):
    """Gathers the replies to what arrived together, and writes them together."""

    transport: asyncio.WriteTransport

    def __init__(self) -> None:
        super().__init__(worker_side_decoder(), self._on_ask, lambda: os._exit(0))
        self._replies: list[bytes] = []

    def _on_ask(self, message: ToWorker) -> None:
        if isinstance(message, Ask):
            self._replies.append(frame(Reply(message.id, message.body, "application/json", tokens=1)))

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(b"".join(self._replies))
        self._replies.clear()


async def _serve(connection: socket.socket) -> None:
    echo = _Echo()
    echo.transport, _ = await asyncio.get_running_loop().create_connection(lambda: echo, sock=connection)
    echo.transport.write(frame(Ready({}, 0.0, NO_COST, 1, 1)))
    while True:
        echo.transport.write(frame(Beat()))
        await asyncio.sleep(BEAT_S)


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(connection))


if __name__ == "__main__":
    main()
