"""A bridge to TorchServe, started in place of a worker of ours: one variant, answered by the same engine inside it.

Run as `python -m serving.torchserve.bridge FD CONFIG_JSON`. TorchServe makes the batches. When its Java or its Python
worker ends, the bridge ends too and the supervisor starts all of it anew: TorchServe would restart the worker by
itself, and meanwhile pass for ready. The bridge ends when the front is gone.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NoReturn

import msgspec
import psutil
import uvloop

from handlers.inferred import manifest_of
from model_store.errors import ParetoServeError
from serving.logs import configure_logs
from serving.processor_time import used_cpu_s
from serving.torchserve import rehearsal
from serving.torchserve.archive import BATCH_SIZE
from serving.torchserve.client import Connection, Response, post
from serving.torchserve.envelope import ASK, BridgeReply, decode_reply, encode
from serving.torchserve.process import TorchServe
from serving.torchserve.startup import ENGINE, TARGET, connections, introduced, lose, start_torchserve, watch
from serving.wire.black_box import BlackBox
from serving.wire.cost import NO_COST
from serving.wire.messages import (
    Ask,
    BatchDone,
    Beat,
    Cancel,
    Failed,
    Frames,
    Known,
    Ready,
    ToFront,
    ToWorker,
    WorkerConfig,
    frame,
    slots_of,
    worker_side_decoder,
)
from serving.worker.known import facts_before_loading

log = logging.getLogger("paretoserve.torchserve")

# Requests in TorchServe's hands at once: enough that it always finds a full batch. More would wait there as well, where
# one that nobody waits for any more cannot be taken back.
MOST_SENT = 4 * BATCH_SIZE

# The slot of the black box that has the oldest request in TorchServe's hands, in case Java hangs; what its worker is
# running has slots of its own.
OLDEST = 1


class Bridge:
    """Hands the front's requests to TorchServe, and its replies to the front."""

    def __init__(self, config: WorkerConfig, black_box: BlackBox) -> None:
        self._config, self._black_box = config, black_box
        self._front: asyncio.WriteTransport | None = None
        self._torchserve: TorchServe | None = None
        self._listening: asyncio.Task[None] | None = None
        self._processes = [psutil.Process()]
        self._idle: list[Connection] = []
        self._waiting: deque[Ask] = deque()
        # Ids in TorchServe's hands, since when, oldest first; and on which connection.
        self._sent: dict[int, float] = {}
        self._asked: dict[Connection, int] = {}
        self._cancelled: set[int] = set()
        self._busy_since = 0.0
        self._tokens_per_request = 0
        self._deliver: Callable[[BridgeReply], None] = self._send_reply

    async def run(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        frames = Frames(worker_side_decoder(), self._on_message, self._end)
        self._front, _ = await loop.create_connection(lambda: frames, sock=connection)
        outcome = await self._load()
        self._send([outcome])
        if isinstance(outcome, Failed):
            self._front.close()  # once that is sent, and then we end
            await asyncio.Event().wait()
        await self._beat()

    def _send(self, messages: Sequence[ToFront]) -> None:
        assert self._front is not None, "this is a bug: nothing is sent before the connection is up"
        self._front.write(b"".join(map(frame, messages)))

    def _end(self) -> NoReturn:
        """The front is gone, or knows that there is nothing to be had here."""
        if self._torchserve is not None:
            self._torchserve.end()
        os._exit(0)

    # Start.

    async def _load(self) -> Ready | Failed:
        started = time.monotonic()
        try:
            self._send([Known(facts_before_loading(Path(self._config.model_dir)))])
            outcome = await self._start()
            return await self._rehearsed(outcome, started) if isinstance(outcome, Ready) else outcome
        except ParetoServeError as exc:
            return Failed(type(exc).__name__, str(exc))

    async def _start(self) -> Ready | Failed:
        self._torchserve = start_torchserve(self._config)
        self._listening = asyncio.create_task(self._torchserve.listen())
        introduction = await introduced(self._torchserve)
        if isinstance(introduction.outcome, Ready):
            self._processes += watch(self._torchserve, introduction.pid)
            self._idle = await connections(self._torchserve, MOST_SENT, self._on_response)
        return introduction.outcome

    async def _rehearsed(self, ready: Ready, started: float) -> Ready:
        """Ask the whole way before anybody else does. What TorchServe takes beside the engine is part of the cost."""
        cost = ready.cost
        if cost != NO_COST:  # the user's own model, whose requests we do not know
            manifest = manifest_of(Path(self._config.model_dir))
            for golden, logits in rehearsal.golden(manifest, ENGINE):
                rehearsal.check((await self._rehearse(golden)).reply, logits, manifest.artifacts[ENGINE])
            body = rehearsal.warm_up_body(manifest)
            overheads = [await self._overhead_s(body) for _ in range(rehearsal.TIMED)]
            overhead_s = median(overheads[len(overheads) // 2 :])  # Java is slow at first
            cost = msgspec.structs.replace(cost, base_s=cost.base_s + overhead_s)
        facts = rehearsal.facts(ready.facts, cost)
        return Ready(facts, time.monotonic() - started, cost, ready.call_tokens, ready.streams)

    async def _overhead_s(self, body: bytes) -> float:
        started = time.monotonic()
        reply = (await self._rehearse(body)).reply
        return time.monotonic() - started - reply.timings.infer_s

    async def _rehearse(self, body: bytes) -> BridgeReply:
        answered: asyncio.Future[BridgeReply] = asyncio.get_running_loop().create_future()
        self._deliver = answered.set_result
        self._on_message(rehearsal.ask(body))
        try:
            return await answered
        finally:
            self._deliver = self._send_reply

    # Requests and replies.

    def _on_message(self, message: ToWorker) -> None:
        if isinstance(message, Cancel):
            self._cancel(message.id)
        else:
            self._waiting.append(message)
            self._hand_over()

    def _cancel(self, number: int) -> None:
        if number in self._sent:
            self._cancelled.add(number)
        else:
            self._waiting = deque(request for request in self._waiting if request.id != number)

    def _hand_over(self) -> None:
        while self._waiting and self._idle:
            request, connection = self._waiting.popleft(), self._idle.pop()
            now = time.monotonic()
            if not self._sent:
                self._busy_since = now
            self._sent[request.id] = now
            self._asked[connection] = request.id
            connection.send(post(TARGET, ASK, encode(request)))
        self._note_oldest()

    def _note_oldest(self) -> None:
        oldest = next(iter(self._sent.items()), None)
        if oldest is None:
            self._black_box.end(OLDEST)
        else:
            self._black_box.begin(OLDEST, [oldest[0]], oldest[1])

    def _on_response(self, connection: Connection, response: Response | None) -> None:
        if response is None or response.status != 200:
            # Our handler answers all that it is asked: this one comes from TorchServe itself.
            lose("it closed a connection" if response is None else f"it answered with status {response.status}")
        reply = decode_reply(response.body)
        if reply.batches:
            reply.batches = self._stretched(reply.batches, time.monotonic())
        del self._sent[self._asked.pop(connection)]
        self._idle.append(connection)
        self._hand_over()
        self._deliver(reply)

    def _stretched(self, batches: list[BatchDone], now: float) -> list[BatchDone]:
        """The engine's calls, each with its part of the time that TorchServe took for all: that is what it costs."""
        elapsed_s, self._busy_since = now - self._busy_since, now
        factor = elapsed_s / sum(batch.busy_s for batch in batches)
        return [msgspec.structs.replace(batch, busy_s=factor * batch.busy_s) for batch in batches]

    def _send_reply(self, bridged: BridgeReply) -> None:
        reply = bridged.reply
        self._tokens_per_request = reply.tokens or self._tokens_per_request
        if reply.error == "BackendError":
            log.error(
                "the engine, or the variant's own code, failed inside TorchServe; at level debug its log has more"
            )
        reply.timings.encoded(time.monotonic())
        wanted = reply.id not in self._cancelled
        self._cancelled.discard(reply.id)
        self._send([*([reply] if wanted else []), *bridged.batches])

    async def _beat(self) -> None:
        while True:
            running = self._black_box.running() & self._sent.keys()
            queued = len(self._waiting) + len(self._sent) - len(running)
            tokens, memory = queued * self._tokens_per_request, sum(map(_resident_bytes, self._processes))
            self._send([Beat(queued, tokens, memory, sum(map(used_cpu_s, self._processes)))])
            await asyncio.sleep(self._config.beat_s)


def _resident_bytes(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        size: int = process.memory_info().rss
        return size
    return 0


def main() -> None:
    config = msgspec.json.decode(sys.argv[2], type=WorkerConfig)
    configure_logs(config.log_format, config.log_level, {"variant": config.name, "pid": os.getpid()})
    black_box = BlackBox(config.black_box_fd, slots_of(config.splits))
    with (
        socket.socket(fileno=int(sys.argv[1])) as connection,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(Bridge(config, black_box).run(connection))


if __name__ == "__main__":
    main()
