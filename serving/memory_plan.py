"""How the container's memory is divided: what the front needs, and what is left for each worker."""

from dataclasses import dataclass

from serving import tuning


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What the container has, and from when on a worker is started anew rather than the container ended by the kernel,
    which would take everybody's requests with it."""

    container_mib: int
    worker_mib: int

    def __str__(self) -> str:
        return f"{self.container_mib} MiB, a worker with more than {self.worker_mib} MiB is started anew"


def make_memory_plan(limit_bytes: int | None, workers: int) -> MemoryPlan | None:
    """Divide the container's memory among workers; None where it has no limit.

    In a container too small for all of them the kernel ends one, which is seen; a limit below what a worker needs would
    end each as soon as it is ready.
    """
    if limit_bytes is None:
        return None
    container_mib = limit_bytes >> 20
    return MemoryPlan(container_mib, max(tuning.LEAST_WORKER_MIB, (container_mib - tuning.FRONT_MIB) // workers))
