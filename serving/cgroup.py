"""What the container was given: the limits that its control group states, in version 1 and 2 of the kernel's files."""

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")

# Version 1 states no limit as the largest number of pages there is; no machine has that much.
_NO_LIMIT = 1 << 60


def quota_cores(cgroup: Path = CGROUP) -> float | None:
    """The CPU quota in cores; None where there is none."""
    v2, v1 = cgroup / "cpu.max", cgroup / "cpu" / "cpu.cfs_quota_us"
    if v2.is_file():
        quota, period = v2.read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    if v1.is_file():
        quota_us = int(v1.read_text())
        period_us = int((v1.parent / "cpu.cfs_period_us").read_text())
        return None if quota_us <= 0 else quota_us / period_us
    return None


def memory_limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """The most memory that the container may have; None where there is no limit."""
    v2, v1 = cgroup / "memory.max", cgroup / "memory" / "memory.limit_in_bytes"
    stated = next((file.read_text().strip() for file in (v2, v1) if file.is_file()), "max")
    return None if stated == "max" or int(stated) >= _NO_LIMIT else int(stated)


def machine_memory_bytes() -> int:
    """All the memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
