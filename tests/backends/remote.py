"""A session whose engine runs in another process, by another interpreter: to the tests it is like any other."""

import itertools
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from handlers.backends.base import Batch, Logits, SessionInfo
from model_store.errors import BackendError
from tests.backends.engine_process import (
    Answer,
    Close,
    Config,
    Failure,
    FromEngine,
    Open,
    Opened,
    Resident,
    read,
    to_call,
    write,
)

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("engine_process.py")


class EngineDied(Exception):
    """The process of an engine ended without a word: a backend must not let that happen."""


class EngineProcess:
    """A process in which sessions can be opened; several threads may ask it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None, "this is a bug: both are pipes"
        self._process, self._asks, self._answers = process, process.stdin, process.stdout
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        decoder = msgspec.msgpack.Decoder(FromEngine)
        while (raw := read(self._answers)) is not None:
            message = decoder.decode(raw)
            self._waiting.pop(message.id).set_result(message)
        for future in self._waiting.values():
            future.set_exception(EngineDied(f"exit status {self._process.wait()}"))

    def ask(self, make: Callable[[int], msgspec.Struct]) -> Any:
        """The answer to the question that `make` gives for its number; raises BackendError and EngineDied."""
        future: Future[Any] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = future
            try:
                write(self._asks, make(number))
            except BrokenPipeError as exc:
                raise EngineDied(f"exit status {self._process.wait()}") from exc
        answer = future.result()
        if isinstance(answer, Failure):
            raise BackendError(answer.message)
        return answer

    def open(self, config: Config) -> "RemoteSession":
        opened = self.ask(lambda number: Open(number, config))
        assert isinstance(opened, Opened)
        return RemoteSession(self, opened.id, opened.info)

    @property
    def resident_bytes(self) -> int:
        return int(self.ask(Resident).bytes)

    def end(self) -> None:
        self._asks.close()
        if status := self._process.wait():
            raise EngineDied(f"exit status {status}")


class RemoteSession:
    """One session of an `EngineProcess`. `run` may be called from several threads."""

    def __init__(self, engine: EngineProcess, number: int, info: SessionInfo) -> None:
        self._engine, self._number = engine, number
        self.info = info

    def run(self, batch: Batch) -> Logits:
        answer = self._engine.ask(lambda number: to_call(number, self._number, batch))
        assert isinstance(answer, Answer)
        return np.frombuffer(answer.logits, np.float32).reshape(answer.shape)

    def close(self) -> None:
        self._engine.ask(lambda number: Close(number, self._number))


@contextmanager
def engine_process(interpreter: str | Path, path: Path | None = None) -> Iterator[EngineProcess]:
    """A process of this interpreter; `path` is a folder where a test's own module lies.

    Raises:
        EngineDied: it ended by itself.
    """
    folders = [str(ROOT), *([str(path)] if path else [])]
    process = subprocess.Popen(
        [interpreter, SCRIPT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    try:
        engine = EngineProcess(process)
        yield engine
        engine.end()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def remote_session(interpreter: str | Path, config: Config) -> Iterator[RemoteSession]:
    """A session in a process that has no other.

    Raises:
        BackendError: what the backend raised.
        EngineDied: its process ended without an error.
    """
    with engine_process(interpreter) as engine:
        yield engine.open(config)
