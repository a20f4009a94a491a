"""An engine in a process of its own, run by the interpreter that has it: `PYTHON engine_process.py CONFIG_JSON`.

Frames of msgpack on standard input and output: one for the session, then an answer for each call.
"""

import os
import struct
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import psutil

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from handlers.backends.catalogue import BACKENDS, Backend, open_session
from handlers.tokens.packing import PackedBatch
from handlers.tokens.padding import PaddedBatch
from model_store.errors import BackendError
from model_store.manifest import Layout

_LENGTH = struct.Struct("<I")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What to open. `module` stands for the backend's own, where a test brings one."""

    backend: str
    artifact: str
    precision: str
    layout: Layout
    streams: int
    max_tokens: int = 512
    module: str | None = None


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    info: SessionInfo


class Call(msgspec.Struct, frozen=True, tag="call"):
    """A batch: its arrays by name, each a shape and the bytes of 64-bit integers."""

    id: int
    layout: Layout
    arrays: dict[str, tuple[tuple[int, ...], bytes]]


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    id: int
    shape: tuple[int, ...]
    logits: bytes


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """An error of the backend; `id` is that of the call, -1 where the session was not opened."""

    id: int
    message: str


class Resident(msgspec.Struct, frozen=True, tag="resident"):
    """Asks for, and answers, the memory that the process has resident; `bytes` is 0 in the question."""

    id: int
    bytes: int = 0


ToEngine = Call | Resident
FromEngine = Opened | Answer | Failure | Resident


def write(stream: IO[bytes], message: msgspec.Struct) -> None:
    body = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the end."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def to_call(number: int, batch: Batch) -> Call:
    arrays = {name: (array.shape, array.tobytes()) for name, array in batch.inputs().items()}
    return Call(number, "packed" if isinstance(batch, PackedBatch) else "padded", arrays)


def _to_batch(call: Call) -> Batch:
    arrays = {name: np.frombuffer(raw, np.int64).reshape(shape) for name, (shape, raw) in call.arrays.items()}
    return PackedBatch(**arrays) if call.layout == "packed" else PaddedBatch(**arrays)


def _open(config: Config) -> Any:
    if config.module:
        BACKENDS[config.backend] = Backend(config.backend, import_module(config.module).__name__)
    artifact = ArtifactFile(Path(config.artifact), config.precision, config.layout, config.max_tokens)
    return open_session(config.backend, artifact, Placement(streams=config.streams))


def main() -> None:
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an engine prints must not come between the frames
    said = threading.Lock()

    def say(message: msgspec.Struct) -> None:
        with said:
            write(answers, message)

    config = msgspec.json.decode(sys.argv[1], type=Config)
    try:
        session = _open(config)
    except BackendError as exc:
        say(Failure(-1, str(exc)))
        return
    say(Opened(session.info))

    def run(call: Call) -> None:
        try:
            logits: Logits = session.run(_to_batch(call))
            say(Answer(call.id, logits.shape, logits.astype(np.float32).tobytes()))
        except BackendError as exc:
            say(Failure(call.id, str(exc)))

    decoder = msgspec.msgpack.Decoder(ToEngine)
    with ThreadPoolExecutor(config.streams) as streams:
        while (raw := read(asked)) is not None:
            message = decoder.decode(raw)
            if isinstance(message, Call):
                streams.submit(run, message)
            else:
                say(Resident(message.id, psutil.Process().memory_info().rss))
    session.close()


if __name__ == "__main__":
    main()
