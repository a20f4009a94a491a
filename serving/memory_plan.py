"""How the memory is divided: what the front needs, what bodies may take, and what is left for each worker."""

from dataclasses import dataclass

from serving import tuning


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What there is, how much of it the bodies in the server may take together, and from when on a worker is started
    anew rather than the container ended by the kernel, which would take everybody's requests with it.

    `worker_mib` is None where there is no container with a limit.
    """

    total_mib: int
    bodies_mib: int
    worker_mib: int | None

    @property
    def workers_mib(self) -> int:
        """What is left for all workers together."""
        return max(0, self.total_mib - tuning.FRONT_MIB - self.bodies_mib)

    def __str__(self) -> str:
        bodies = f"bodies in flight have {self.bodies_mib}"
        if self.worker_mib is None:
            return f"machine of {self.total_mib} MiB, {bodies}"
        return f"{self.total_mib} MiB, {bodies}, a worker with more than {self.worker_mib} MiB is started anew"


def make_memory_plan(limit_bytes: int | None, machine_bytes: int, workers: int) -> MemoryPlan:
    """Divide the container's memory, or where it has no limit that of the machine.

    In a container too small for all workers the kernel ends one, which is seen; a limit below what a worker needs would
    end each as soon as it is ready.
    """
    total_mib = min(limit_bytes or machine_bytes, machine_bytes) >> 20
    bodies_mib = max(1, int(tuning.BODIES_SHARE * total_mib))
    if limit_bytes is None:
        return MemoryPlan(total_mib, bodies_mib, None)
    left_mib = total_mib - tuning.FRONT_MIB - bodies_mib
    return MemoryPlan(total_mib, bodies_mib, max(tuning.LEAST_WORKER_MIB, left_mib // workers))
