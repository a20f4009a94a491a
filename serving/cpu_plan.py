"""One plan for all cores: which ones are ours, and how they are divided among workers, streams and threads.

An engine left to itself starts a thread per core of the machine, in every process, whatever the container was given;
that is the commonest reason why a server is slower than the engine alone.
"""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from serving.cgroup import CGROUP, quota_cores


class StreamSplit(NamedTuple):
    """How one worker uses its cores: `streams` calls of the engine at once, `threads_per_stream` threads for each."""

    streams: int
    threads_per_stream: int

    def __str__(self) -> str:
        return f"{_count(self.streams, 'stream')} of {_count(self.threads_per_stream, 'thread')}"


@dataclass(frozen=True, slots=True)
class CpuPlan:
    """What each worker gets. Of several splits it measures all at its start and keeps the fastest.

    A quota pays for as many cores as `cores` has, and the kernel chooses which.
    """

    cores: tuple[int, ...]
    workers: int
    splits: tuple[StreamSplit, ...]
    by_quota: bool = False

    @property
    def known_cores(self) -> tuple[int, ...]:
        """The cores that workers run on; none where the kernel chooses them."""
        return () if self.by_quota else self.cores

    def __str__(self) -> str:
        splits = " or ".join(map(str, self.splits)) + (", whichever is faster" if len(self.splits) > 1 else "")
        which = "by quota" if self.by_quota else _ranges(self.cores)
        return f"{_count(len(self.cores), 'core')} ({which}), {_count(self.workers, 'worker')} of {splits}"


def usable_cores(cgroup: Path = CGROUP) -> tuple[int, ...]:
    """The cores that this process may run on (its cpuset), as many as the container's CPU quota pays for."""
    allowed = tuple(sorted(os.sched_getaffinity(0)))
    quota = quota_cores(cgroup)
    return allowed if quota is None else allowed[: max(1, min(len(allowed), math.ceil(quota)))]


def make_plan(
    cores: tuple[int, ...], workers: int, streams: int | None = None, threads_per_stream: int | None = None
) -> CpuPlan:
    """Divide `cores` among workers. What is not given, the workers measure."""
    share = max(1, len(cores) // workers)
    by_quota = len(cores) < len(os.sched_getaffinity(0))
    return CpuPlan(cores, workers, _splits(share, streams, threads_per_stream), by_quota)


def _splits(share: int, streams: int | None, threads_per_stream: int | None) -> tuple[StreamSplit, ...]:
    if streams or threads_per_stream:
        streams = streams or max(1, share // (threads_per_stream or 1))
        return (StreamSplit(streams, threads_per_stream or max(1, share // streams)),)
    # Few threads finish most, many finish soonest; what lies between hardly differs from its neighbours.
    threads = sorted({1, 2, 4, share}) if share > 1 else [1]
    return tuple(StreamSplit(share // n, n) for n in threads if n <= share)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _ranges(cores: tuple[int, ...]) -> str:
    """`(0, 1, 2, 5)` is `0-2,5`."""
    parts: list[str] = []
    start = previous = cores[0]
    for core in (*cores[1:], -1):
        if core != previous + 1:
            parts.append(str(start) if start == previous else f"{start}-{previous}")
            start = core
        previous = core
    return ",".join(parts)
