"""What a server holds: memory, descriptors, threads, processes."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import psutil

from benchmarks.harness.places import RUNS
from paretoserve.hosts.process import running_server

# For connections to be closed after the last answer, and for a worker that was killed to be started again.
SETTLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Holding:
    """Of one process."""

    resident_bytes: int
    descriptors: int
    threads: int
    children: int


@dataclass(frozen=True, slots=True)
class Server:
    """A running server by its front's process; its workers may change."""

    url: str
    front: int

    def worker_pids(self) -> list[int]:
        variants = httpx.get(f"{self.url}/variants", timeout=30).json()["variants"]
        return [worker["pid"] for one in variants for worker in one["workers"]]

    def holdings(self) -> Mapping[str, Holding]:
        """Of the front, and of each worker in the order of `/variants`."""
        workers = {f"worker {number}": pid for number, pid in enumerate(self.worker_pids())}
        return {name: holding(pid) for name, pid in ({"front": self.front} | workers).items()}

    def settled_holdings(self, before: Mapping[str, Holding]) -> Mapping[str, Holding]:
        """The same once all connections are closed on this side, too, so that no more is open than before; or after a
        while."""
        give_up_at = time.monotonic() + SETTLE_S
        while True:
            is_late = time.monotonic() > give_up_at
            try:
                held = self.holdings()
                if is_late or all(one.descriptors <= before[name].descriptors for name, one in held.items()):
                    return held
            except psutil.NoSuchProcess:
                # A worker that was just killed; another one takes its place.
                if is_late:
                    raise
            time.sleep(0.1)


def holding(pid: int) -> Holding:
    process = psutil.Process(pid)
    with process.oneshot():
        threads = process.num_threads()
        children = len(process.children(recursive=True))
        return Holding(process.memory_info().rss, len(os.listdir(f"/proc/{pid}/fd")), threads, children)  # noqa: PTH208


@contextmanager
def watched_server(candidate: str, options: Sequence[str] = ()) -> Iterator[Server]:
    """Serve `DIR@BACKEND`, ready."""
    with running_server([candidate], RUNS / "server.log", options) as url:
        server = Server(url, front=0)
        front = psutil.Process(server.worker_pids()[0]).ppid()
        yield Server(url, front)
