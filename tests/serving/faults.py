"""An engine that does what a word of a text tells it to, in a worker that is real in all else.

Its logits are the ids of a text's first two words. Run as a worker is, by `python -m tests.serving.faults FD CONFIG`.
"""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlers.backends.base import ArtifactFile, Batch, Logits, Placement, SessionInfo
from handlers.backends.catalogue import BACKENDS, Backend
from handlers.tokens.packing import PackedBatch
from serving.worker import process as worker

BACKEND = "faulty"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
UNKNOWN, FIRST, SEPARATOR = 1, 2, 3
FAULTS = ("wait", "crash", "hang", "out_of_memory", "grow", "nan", "wrong_rows")
WORDS = tuple(f"w{number}" for number in range(256))
VOCABULARY = (*SPECIAL, *FAULTS, *WORDS)

GROWTH_BYTES = 256 * 2**20


@dataclass
class FaultySession:
    """What it is asked is noted in a file of `folder`; what it waits for is a lock on another."""

    folder: Path
    info: SessionInfo

    def __post_init__(self) -> None:
        self._grown: list[bytes] = []

    def run(self, batch: Batch) -> Logits:
        assert isinstance(batch, PackedBatch)
        texts = list(_texts_of(batch))
        if any(texts):  # warm-up asks with words that are none of ours
            self._note(texts)
        asked = {word for text in texts for word in text.split()}
        self._go_wrong(asked)
        return _spoilt(_logits_of(batch), asked)

    def _note(self, texts: list[str]) -> None:
        with (self.folder / "calls").open("a") as calls:
            calls.write(json.dumps(texts) + "\n")

    def _go_wrong(self, asked: set[str]) -> None:
        if "wait" in asked:
            wait_for(self.folder / "gate")
        if "crash" in asked:
            os.abort()
        if "hang" in asked:
            threading.Event().wait()
        if "out_of_memory" in asked:
            raise MemoryError
        if "grow" in asked:
            self._grown.append(b"x" * GROWTH_BYTES)

    def close(self) -> None:
        """It holds nothing."""


def _texts_of(batch: PackedBatch) -> Iterator[str]:
    """The words of each text, without those that are not in the vocabulary."""
    for ids, segments in zip(batch.input_ids, batch.segment_ids, strict=True):
        for segment in range(1, int(segments.max()) + 1):
            words = [VOCABULARY[i] for i in ids[segments == segment] if i > SEPARATOR]
            yield " ".join(words)


def _logits_of(batch: PackedBatch) -> Logits:
    ids = batch.input_ids.ravel()
    return np.stack([ids[batch.cls_index + 1], ids[batch.cls_index + 2]], axis=1).astype(np.float32)


def _spoilt(logits: Logits, asked: set[str]) -> Logits:
    if "nan" in asked:
        logits[0] = np.nan
    return np.concatenate([logits, logits[:1]]) if "wrong_rows" in asked else logits


def wait_for(lock: Path) -> None:
    """Until nobody holds the lock."""
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def open_session(artifact: ArtifactFile, placement: Placement) -> FaultySession:
    folder = artifact.path.parent
    wait_for(folder / "start")
    return FaultySession(folder, SessionInfo(BACKEND, "1", artifact.precision, placement))


if __name__ == "__main__":
    BACKENDS[BACKEND] = Backend(BACKEND, __name__, in_place=("",))
    worker.main()
