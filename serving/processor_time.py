"""What processes have used of the processor."""

import psutil


def used_cpu_s(process: psutil.Process) -> float:
    """Seconds since it was started, in user code and in the kernel; 0 of one that has ended."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)
