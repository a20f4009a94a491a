"""Our own server under a benchmark: started on its cores, asked by the client on others, its processes watched."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness.places import RUNS
from loadtest.generator.lean.client import run_client
from loadtest.generator.lean.plan import ClientPlan, ClientResult
from paretoserve.hosts.endpoint import describe_variants
from paretoserve.hosts.process import running_server

PATIENT = ("--queue-deadline", "5")
"""For closed loops, which must not be refused: their own number bounds the queue."""


@dataclass(frozen=True)
class Served:
    url: str
    client_cores: Sequence[int]

    def load(self, bodies: tuple[bytes, ...], **how: Any) -> ClientResult:
        """Run a client on its own cores; `how` are fields of ClientPlan."""
        return run_client(self.plan(bodies, **how), self.client_cores)

    def plan(self, bodies: tuple[bytes, ...], **how: Any) -> ClientPlan:
        host, port = self.url.removeprefix("http://").rsplit(":", maxsplit=1)
        return ClientPlan(host=host, port=int(port), path="/invocations", bodies=bodies, **how)

    @property
    def variant(self) -> dict[str, Any]:
        return describe_variants(self.url)[0]

    @property
    def worker(self) -> psutil.Process:
        return psutil.Process(self.variant["workers"][0]["pid"])

    @property
    def front(self) -> psutil.Process:
        front = self.worker.parent()
        assert front is not None, "this is a bug: a worker's parent is the front"
        return front

    def cpu_s(self) -> float:
        """What front and worker have used of the processor."""
        times = [process.cpu_times() for process in (self.front, self.worker)]
        return sum(one.user + one.system for one in times)


@contextmanager
def served(
    candidate: str, server_cores: Sequence[int], client_cores: Sequence[int], options: Sequence[str] = PATIENT
) -> Iterator[Served]:
    """Serve `DIR@BACKEND`, warm."""
    log = Path(RUNS) / "server.log"
    with running_server([candidate], log, options, server_cores) as url:
        yield Served(url, client_cores)
