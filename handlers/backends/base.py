"""The contract between a handler and an engine. Tensors in, tensors out: no text, no queue, no HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from handlers.tokens.packing import PackedBatch
from handlers.tokens.padding import Grid, PaddedBatch
from model_store.manifest import Layout

Logits = NDArray[np.float32]
Batch = PackedBatch | PaddedBatch


@dataclass(frozen=True, slots=True)
class Threads:
    """How many calls may run at once (`streams`), and how many threads the engine uses for each."""

    streams: int = 1
    per_stream: int = 1


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is really running. `executed_precision` is read back from the engine, not copied from the manifest.

    An engine that prepares itself for every new width of rows states a `width_step`: rows come in multiples of it.
    A session with a `grid` takes padded rows, in these shapes; without one it takes packed rows. `operators` counts
    what a call executes by type, `integer_operators` those of them that compute with integers; both are empty where
    the engine does not tell. `instruction_set` is the widest that its kernels use, or that it could use.
    """

    engine: str
    version: str
    executed_precision: str
    threads: Threads
    width_step: int = 1
    grid: Grid | None = None
    instruction_set: str = ""
    operators: Mapping[str, int] = field(default_factory=dict)
    integer_operators: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


class Session(Protocol):
    """One artifact, loaded. `run` may be called from `threads.streams` threads at once."""

    @property
    def info(self) -> SessionInfo: ...

    def run(self, batch: Batch) -> Logits:
        """Logits of shape (texts, labels), in the order of `batch.cls_index`; of padded rows, (rows, labels).

        Raises:
            BackendError: the engine failed on this batch.
        """
        ...

    def close(self) -> None:
        """Free the engine. No call may be running."""
        ...


OpenSession = Callable[[Path, str, Threads, Layout], Session]
"""Open the artifact at a path, said to be of a layout, to run in a stated precision with these threads.

It raises BackendError, also where the artifact is not of that layout.
"""
