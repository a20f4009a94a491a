"""Processor time: of a server's processes, and of the whole machine with what its host gave to others."""

from typing import NamedTuple

import psutil


class MachineTimes(NamedTuple):
    """Seconds of all processors since the machine started."""

    total_s: float
    steal_s: float
    """In which a processor was wanted here, and the machine's host gave it to others."""


def processor_seconds(pid: int | None) -> float | None:
    """What a process and all below it have used, with those below that have ended; None of one that is not there."""
    if pid is None:
        return None
    try:
        first = psutil.Process(pid)
        every = [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    return sum(map(_seconds, every))


def _seconds(process: psutil.Process) -> float:
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def machine_times() -> MachineTimes:
    times = psutil.cpu_times()
    # Guests are counted as users already; systems without a hypervisor's account state no steal.
    guests_s = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return MachineTimes(sum(times) - guests_s, getattr(times, "steal", 0.0))


def steal_share(before: MachineTimes, after: MachineTimes) -> float | None:
    """Of all processor time between two looks; None where they are too close together to say."""
    total_s = after.total_s - before.total_s
    return (after.steal_s - before.steal_s) / total_s if total_s > 0 else None
