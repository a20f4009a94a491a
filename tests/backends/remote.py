"""A session whose engine runs in another process, by another interpreter: to the tests it is like any other."""

import itertools
import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from handlers.backends.base import Batch, Logits, SessionInfo
from model_store.errors import BackendError
from tests.backends.engine_process import Answer, Config, Failure, FromEngine, Opened, Resident, read, to_call, write

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("engine_process.py")


class EngineDied(Exception):
    """The process of an engine ended without a word: a backend must not let that happen."""


class RemoteSession:
    """`run` may be called from several threads; `resident_bytes` is the memory of the engine's process."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None, "this is a bug: both are pipes"
        self._process, self._asks, self._answers = process, process.stdin, process.stdout
        self._decoder = msgspec.msgpack.Decoder(FromEngine)
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._lock = threading.Lock()
        self.info = self._opened()
        threading.Thread(target=self._listen, daemon=True).start()

    def _opened(self) -> SessionInfo:
        raw = read(self._answers)
        if raw is None:
            raise EngineDied(f"exit status {self._process.wait()}")
        first = self._decoder.decode(raw)
        if isinstance(first, Failure):
            raise BackendError(first.message)
        assert isinstance(first, Opened)
        return first.info

    def _listen(self) -> None:
        while (raw := read(self._answers)) is not None:
            message = self._decoder.decode(raw)
            assert not isinstance(message, Opened)
            self._waiting.pop(message.id).set_result(message)
        for future in self._waiting.values():
            future.set_exception(EngineDied(f"exit status {self._process.wait()}"))

    def _ask(self, make: Any) -> Any:
        future: Future[Any] = Future()
        with self._lock:
            number = next(self._numbers)
            self._waiting[number] = future
            write(self._asks, make(number))
        return future.result()

    def run(self, batch: Batch) -> Logits:
        message = self._ask(lambda number: to_call(number, batch))
        if isinstance(message, Failure):
            raise BackendError(message.message)
        assert isinstance(message, Answer)
        return np.frombuffer(message.logits, np.float32).reshape(message.shape)

    @property
    def resident_bytes(self) -> int:
        return int(self._ask(Resident).bytes)

    def close(self) -> None:
        self._asks.close()
        if status := self._process.wait():
            raise EngineDied(f"exit status {status}")


@contextmanager
def remote_session(interpreter: str | Path, config: Config, path: Path | None = None) -> Iterator[RemoteSession]:
    """Open a session with this interpreter; `path` is a folder where a test's own module lies.

    Raises:
        BackendError: what the backend raised.
        EngineDied: its process ended without an error.
    """
    folders = [str(ROOT), *([str(path)] if path else [])]
    process = subprocess.Popen(
        [interpreter, SCRIPT, msgspec.json.encode(config).decode()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    )
    try:
        session = RemoteSession(process)
        yield session
        session.close()
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
