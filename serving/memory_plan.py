"""How the container's memory is divided: what the front needs, and what is left for each worker."""

from dataclasses import dataclass

# The front has some 50 MiB resident at its start; the rest is for what the system keeps on the container's account.
FRONT_MIB = 128

# The least that a worker needs: ONNX Runtime with six layers has 210 MiB. In a container with less than that for each,
# what happens shall tell so, and not workers that are ended as soon as they are ready.
LEAST_WORKER_MIB = 256


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What the container has, and from when on a worker is started anew rather than the container ended by the kernel,
    which would take everybody's requests with it."""

    container_mib: int
    worker_mib: int

    def __str__(self) -> str:
        return f"{self.container_mib} MiB, a worker with more than {self.worker_mib} MiB is started anew"


def make_memory_plan(limit_bytes: int | None, workers: int) -> MemoryPlan | None:
    """Divide the container's memory among workers; None where it has no limit."""
    if limit_bytes is None:
        return None
    container_mib = limit_bytes >> 20
    return MemoryPlan(container_mib, max(LEAST_WORKER_MIB, (container_mib - FRONT_MIB) // workers))
