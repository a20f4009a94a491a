"""What the front and a worker send each other: msgpack frames over a Unix socket pair.

A frame is a 32-bit little-endian length and that many bytes. Times are `time.monotonic()` seconds, one clock for all
processes of a machine.
"""

import asyncio
import struct
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar, cast

import msgspec

from handlers.payloads.request import Limits, Protocol
from serving.cpu_plan import StreamSplit
from serving.logs import LogFormat, LogLevel
from serving.wire.cost import Cost
from serving.wire.timings import Timings

# Threads of a worker that decode requests: its event loop, for small ones, and others.
DECODERS = 3

# The largest message that the front takes from a worker; no answer is as large, but a length that is none may be.
MOST_BYTES_TO_FRONT = 256 * 2**20

_LENGTH = struct.Struct("<I")


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is started with, as JSON in its argument.

    Of several `splits` of its `cores` it keeps the fastest; without cores the kernel chooses them. With
    `keeps_calibration` that is measured once on this machine, not at each start.
    """

    name: str
    model_dir: str
    backend: str
    splits: tuple[StreamSplit, ...]
    batch_tokens: int
    black_box_fd: int
    beat_s: float
    cores: tuple[int, ...] = ()
    limits: Limits = Limits()
    keeps_calibration: bool = False
    install_requirements: bool = False
    log_format: LogFormat = "text"
    log_level: LogLevel = "info"


class Ask(msgspec.Struct, tag="ask", array_like=True):
    """A request. It is refused if it has not reached the engine by `queue_by`, the server's own limit, or
    `expires`, the client's. `isolated`: was running when a worker died; batch it alone.

    `sent` is when the front sent it, 0 for just now. A worker whose event loop is at work reads it later, and it has
    waited since. `headers` are those that the variant's own code may see, by their names in lower case.
    `in_parts`: the answer to a list may come in parts.
    """

    id: int
    body: bytes
    content_type: str
    accept: str
    protocol: Protocol
    json_length: int | None
    queue_by: float
    expires: float
    isolated: bool = False
    content_encoding: str = ""
    sent: float = 0.0
    headers: dict[str, str] = {}
    in_parts: bool = False


class Cancel(msgspec.Struct, tag="cancel", array_like=True):
    """Nobody waits for this request any more."""

    id: int


class Reply(msgspec.Struct, tag="reply", array_like=True):
    """An answer, or the name and message of the error that came instead.

    `bulk`: its texts did not fit into one call of the engine. `status`, 0 for the usual one, and `headers` are what the
    variant's own code set. `more`: another reply follows, with the next part of the answer.
    """

    id: int
    body: bytes = b""
    content_type: str = ""
    json_length: int | None = None
    truncated: tuple[int, ...] = ()
    timings: Timings = msgspec.field(default_factory=Timings)
    tokens: int = 0
    error: str = ""
    message: str = ""
    retry_after_s: float = 0.0
    bulk: bool = False
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    more: bool = False


class BatchDone(msgspec.Struct, tag="batch", array_like=True):
    """One call of the engine. `busy_s` is how long it kept its stream: `batch_s` until the engine began, `infer_s` the
    engine's part, `encode_s` writing the answers."""

    requests: int
    tokens: int
    padding_tokens: int
    infer_s: float
    busy_s: float
    batch_s: float = 0.0
    encode_s: float = 0.0


class Beat(msgspec.Struct, tag="beat", array_like=True):
    """Sent regularly. `cpu_s` is the processor time that the worker has used since it was started."""

    queued_requests: int = 0
    queued_tokens: int = 0
    resident_bytes: int = 0
    cpu_s: float = 0.0


class Ready(msgspec.Struct, tag="ready", array_like=True):
    """The variant is loaded, its golden inputs agree, the engine is warm.

    `facts` are for `/variants`. Of `streams` calls of the engine at once, each takes up to `call_tokens` tokens, by
    `cost` the fastest.
    """

    facts: dict[str, Any]
    load_s: float
    cost: Cost
    call_tokens: int
    streams: int


class Known(msgspec.Struct, tag="known", array_like=True):
    """Those of the `facts` of `Ready` that the worker can tell before the variant is loaded."""

    facts: dict[str, Any]


class Failed(msgspec.Struct, tag="failed", array_like=True):
    """The variant cannot be loaded; the worker ends."""

    error: str
    message: str


ToWorker = Ask | Cancel
ToFront = Reply | BatchDone | Beat | Known | Ready | Failed

_encoder = msgspec.msgpack.Encoder()
M = TypeVar("M")


def slots_of(splits: Sequence[StreamSplit]) -> int:
    """Slots of a worker's black box: its streams, and its threads that decode."""
    return max(split.streams for split in splits) + DECODERS


def frame(message: ToWorker | ToFront) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Frames(asyncio.Protocol, Generic[M]):
    """Calls `on_message` for every frame that arrives and `on_lost` once the other side is gone.

    Of what cannot be read nothing more is: `fault` says why, and the connection is closed. A frame of more than
    `most_bytes` cannot be read.
    """

    def __init__(
        self,
        decoder: "msgspec.msgpack.Decoder[M]",
        on_message: Callable[[M], None],
        on_lost: Callable[[], None],
        most_bytes: int = 2**32,
    ) -> None:
        self._decoder = decoder
        self._on_message = on_message
        self._on_lost = on_lost
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._connection: asyncio.WriteTransport | None = None
        self.fault = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        if self.fault:
            return
        self._buffer += data
        start, end = 0, len(self._buffer)
        with memoryview(self._buffer) as view:
            while start + _LENGTH.size <= end:
                stop = start + _LENGTH.size + _LENGTH.unpack_from(view, start)[0]
                if stop > end:
                    break
                message = self._read(view[start + _LENGTH.size : stop])
                if message is None:
                    break
                start = stop
                self._on_message(message)
        del self._buffer[:start]
        if len(self._buffer) >= _LENGTH.size and _LENGTH.unpack_from(self._buffer)[0] > self._most_bytes:
            self.fault = "a frame is too large"
        if self.fault:
            self._give_up()

    def _read(self, view: memoryview) -> M | None:
        try:
            return self._decoder.decode(view)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, MemoryError) as exc:
            self.fault = f"a frame cannot be read: {type(exc).__name__}"
            return None

    def _give_up(self) -> None:
        self._buffer.clear()
        if self._connection is not None:
            self._connection.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_lost()


def worker_side_decoder() -> "msgspec.msgpack.Decoder[ToWorker]":
    return msgspec.msgpack.Decoder(ToWorker)


def front_side_decoder() -> "msgspec.msgpack.Decoder[ToFront]":
    return msgspec.msgpack.Decoder(ToFront)
