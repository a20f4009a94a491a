"""Whether there is memory for one model more: what workers have, measured, and what another one will need."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from model_store.errors import NoMemory
from serving import tuning

PROC = Path("/proc")


def held_bytes(pids: Iterable[int]) -> int:
    """The memory of processes and of what they started. What several share is divided among those that share it (the
    kernel's PSS), so that the libraries of many workers on one engine are counted once."""
    return sum(_proportional_bytes(one) for pid in pids for one in _family(pid))


def _family(pid: int) -> list[int]:
    """A process and all below it; those that have ended meanwhile are left out."""
    try:
        children = [
            int(one) for file in (PROC / str(pid) / "task").glob("*/children") for one in file.read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [pid, *(one for child in children for one in _family(child))]


def _proportional_bytes(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def available_bytes() -> int:
    """What the machine could give now, as the kernel estimates it."""
    lines = (PROC / "meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def folder_bytes(folder: Path) -> int:
    """All files below a folder; links that lead nowhere count nothing."""
    files = (Path(at) / name for at, _, names in os.walk(folder) for name in names)
    return sum(file.stat().st_size for file in files if file.exists())


@dataclass(slots=True)
class ModelMemory:
    """`most_bytes`: what all workers may have together. What a worker has besides the files of its model is learnt,
    engine by engine, from those that are loaded."""

    most_bytes: int
    overhead_bytes: dict[str, int] = field(default_factory=dict)

    def needed_bytes(self, files_bytes: int, backend: str) -> int:
        """What loading a model will take at the most, as far as can be told before."""
        overhead = self.overhead_bytes.get(backend, tuning.WORKER_MIB << 20)
        return overhead + tuning.COPIES_WHILE_LOADING * files_bytes

    def learn(self, backend: str, files_bytes: int, worker_bytes: int) -> None:
        """Of a worker that is ready; the largest counts."""
        overhead = max(0, worker_bytes - files_bytes)
        self.overhead_bytes[backend] = max(overhead, self.overhead_bytes.get(backend, 0))

    def check(self, needed_bytes: int, taken_bytes: int, free_bytes: int) -> None:
        """Of workers that have `taken_bytes` on a machine that could give `free_bytes`; raises NoMemory."""
        room = min(self.most_bytes - taken_bytes, free_bytes)
        if needed_bytes > room:
            raise NoMemory(
                f"The model needs about {needed_bytes >> 20} MiB, and {max(0, room) >> 20} MiB are left for models; "
                "unload another one first."
            )
