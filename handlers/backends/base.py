"""The contract between a handler and an engine. Tensors in, tensors out: no text, no queue, no HTTP."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from handlers.backends.catalogue import Device
from handlers.tokens.packing import PackedBatch
from handlers.tokens.padding import Grid, PaddedBatch
from model_store.manifest import Layout

Logits = NDArray[np.float32]
Batch = PackedBatch | PaddedBatch


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an engine runs: on which device and cores, how many calls at once (`streams`), and how many threads it
    uses for each. Without `cores` it may use all that the process may."""

    device: Device = "cpu"
    cores: tuple[int, ...] = ()
    streams: int = 1
    threads: int = 1


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """What an engine loads: the main file of an artifact, and what its manifest says of it.

    `max_tokens` is where texts are cut, for engines that want to know the widest row.
    """

    path: Path
    precision: str = "fp32"
    layout: Layout = "packed"
    max_tokens: int = 512


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What is really running. `executed_precision` is read back from the engine, not copied from the manifest.

    An engine that prepares itself for every new width of rows states a `width_step`: rows come in multiples of it.
    A session with a `grid` takes padded rows, in these shapes; without one it takes packed rows. `operators` counts
    what a call executes by type, `integer_operators` those of them that compute with integers; both are empty where
    the engine does not tell. `instruction_set` is the widest that its kernels use, or that it could use. Where
    `shares_calls` is false a call has the texts of one request, all of them, and of no other.
    """

    engine: str
    version: str
    executed_precision: str
    placement: Placement
    width_step: int = 1
    grid: Grid | None = None
    shares_calls: bool = True
    instruction_set: str = ""
    operators: Mapping[str, int] = field(default_factory=dict)
    integer_operators: Mapping[str, int] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)


class Session(Protocol):
    """One artifact, loaded. `run` may be called from `placement.streams` threads at once."""

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


OpenSession = Callable[[ArtifactFile, Placement], Session]
"""Open an artifact, to run in its stated precision where it is placed.

It raises BackendError, also where the artifact is not of that layout.
"""
