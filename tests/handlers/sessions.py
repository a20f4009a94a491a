"""Engines that do as they are told."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from handlers.backends.base import Batch, Logits, Placement, SessionInfo
from model_store.errors import BackendError

INFO = SessionInfo("toy", "1", "float32", Placement())


@dataclass
class FixedSession:
    """Answers these logits, whatever it is asked."""

    logits: Sequence[Sequence[float]]
    info: SessionInfo = INFO
    asked: list[Batch] = field(default_factory=list)
    closed: bool = False

    def run(self, batch: Batch) -> Logits:
        self.asked.append(batch)
        return np.array(self.logits, np.float32)

    def close(self) -> None:
        self.closed = True


class FailingSession(FixedSession):
    def run(self, batch: Batch) -> Logits:
        raise BackendError("The engine is out of order.")
