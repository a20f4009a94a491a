"""A process for engines, run by the interpreter that has them: `PYTHON engine_process.py`.

Frames of msgpack on standard input and output: sessions are opened, called and closed, and each question is answered.
"""

import os
import struct
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import psutil

from handlers.backends.base import ArtifactFile, Batch, Placement, Session, SessionInfo
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


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Asks for a session; its number is that of the question."""

    id: int
    config: Config


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    id: int
    info: SessionInfo


class Call(msgspec.Struct, frozen=True, tag="call"):
    """A batch for a session: its arrays by name, each a shape and the bytes of 64-bit integers."""

    id: int
    session: int
    layout: Layout
    arrays: dict[str, tuple[tuple[int, ...], bytes]]


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    id: int
    shape: tuple[int, ...]
    logits: bytes


class Close(msgspec.Struct, frozen=True, tag="close"):
    """Asks to close a session, and answers that it is closed."""

    id: int
    session: int


class Failure(msgspec.Struct, frozen=True, tag="failure"):
    """An error of the backend, where a session was to be opened or called."""

    id: int
    message: str


class Resident(msgspec.Struct, frozen=True, tag="resident"):
    """Asks for, and answers, the memory that the process has resident; `bytes` is 0 in the question."""

    id: int
    bytes: int = 0


ToEngine = Open | Call | Close | Resident
FromEngine = Opened | Answer | Close | Failure | Resident


def write(stream: IO[bytes], message: msgspec.Struct) -> None:
    body = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read(stream: IO[bytes]) -> bytes | None:
    """The next frame; None at the end."""
    head = stream.read(_LENGTH.size)
    return stream.read(_LENGTH.unpack(head)[0]) if len(head) == _LENGTH.size else None


def to_call(number: int, session: int, batch: Batch) -> Call:
    arrays = {name: (array.shape, array.tobytes()) for name, array in batch.inputs().items()}
    return Call(number, session, "packed" if isinstance(batch, PackedBatch) else "padded", arrays)


def _to_batch(call: Call) -> Batch:
    arrays = {name: np.frombuffer(raw, np.int64).reshape(shape) for name, (shape, raw) in call.arrays.items()}
    return PackedBatch(**arrays) if call.layout == "packed" else PaddedBatch(**arrays)


def _open(config: Config) -> Session:
    if config.module:
        BACKENDS[config.backend] = Backend(config.backend, import_module(config.module).__name__)
    artifact = ArtifactFile(Path(config.artifact), config.precision, config.layout, config.max_tokens)
    return open_session(config.backend, artifact, Placement(streams=config.streams))


def _answer(session: Session, call: Call) -> FromEngine:
    try:
        logits = session.run(_to_batch(call))
    except BackendError as exc:
        return Failure(call.id, str(exc))
    return Answer(call.id, logits.shape, logits.astype(np.float32).tobytes())


class Engines:
    """The sessions of this process, each with threads of its own, which were born after it was opened."""

    def __init__(self, say: Callable[[FromEngine], None]) -> None:
        self._say = say
        self._sessions: dict[int, tuple[Session, ThreadPoolExecutor]] = {}

    def do(self, asked: ToEngine) -> None:
        match asked:
            case Open(id, config):
                self._say(self._opened(id, config))
            case Call(_, session):
                opened, streams = self._sessions[session]
                streams.submit(lambda: self._say(_answer(opened, asked)))
            case Close(_, session):
                self._close(session)
                self._say(asked)
            case Resident(id):
                self._say(Resident(id, psutil.Process().memory_info().rss))

    def _opened(self, number: int, config: Config) -> FromEngine:
        try:
            session = _open(config)
        except BackendError as exc:
            return Failure(number, str(exc))
        self._sessions[number] = session, ThreadPoolExecutor(config.streams)
        return Opened(number, session.info)

    def _close(self, number: int) -> None:
        session, streams = self._sessions.pop(number)
        streams.shutdown()
        session.close()

    def close(self) -> None:
        for number in list(self._sessions):
            self._close(number)


def main() -> None:
    asked = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what an engine prints must not come between the frames
    said = threading.Lock()

    def say(message: FromEngine) -> None:
        with said:
            write(answers, message)

    engines, decoder = Engines(say), msgspec.msgpack.Decoder(ToEngine)
    while (raw := read(asked)) is not None:
        engines.do(decoder.decode(raw))
    engines.close()


if __name__ == "__main__":
    main()
