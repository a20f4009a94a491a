"""Folders of work that survives a kill: how they are called, and how files in them are written whole or not at all."""

import fcntl
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from model_store.errors import RecipeError
from recipes.work.progress import Progress

_LOCK = "lock"

# A kill loses the count of at most so much.
_KEEP_EVERY_S = 5.0


def fingerprint(*parts: Any) -> str:
    """A short name for what `parts` hold: anything that can be written as JSON, dataclasses too."""
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


@contextmanager
def writing(file: Path) -> Iterator[Path]:
    """A path to write to, which becomes `file` in a single step if the block succeeds; if it fails nothing remains."""
    partial = file.with_name(f"{file.name}.partial")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def write_whole(file: Path, content: bytes) -> None:
    """Write `file` in a single step: whoever reads it finds the old content or the new."""
    with writing(file) as partial:
        partial.write_bytes(content)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else works in `folder` meanwhile. The kernel lets go of it when this process ends, however that comes.

    Raises:
        RecipeError: another process works there.
    """
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise RecipeError(
                f"Another process is doing this step, in '{folder}'; wait until it is done and run the same command "
                "again, or end that process first."
            ) from exc
        yield


class Clock:
    """The seconds spent on a work folder, all runs together: a run that is killed cannot say it at its end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._before = float(file.read_text()) if file.is_file() else 0.0
        self._begin = self._kept = time.monotonic()

    def seconds(self) -> float:
        return self._before + time.monotonic() - self._begin

    def keep(self) -> None:
        """Write them down, for the next run to count on from."""
        self._kept = time.monotonic()
        write_whole(self._file, str(self.seconds()).encode())

    def around(self, progress: Progress) -> Progress:
        """The same progress, which keeps the seconds on its way."""

        def told(what: str, done: float) -> None:
            progress(what, done)
            if time.monotonic() - self._kept >= _KEEP_EVERY_S:
                self.keep()

        return told
