"""What machine this is, for the conditions of a report."""

import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil

from handlers.backends.processor import processor
from serving.cpu_plan import usable_cores


def describe_machine() -> dict[str, str]:
    """Processor, its telling instruction sets, memory, system and Python."""
    here = processor()
    return {
        "Processor": here.name,
        "Instruction sets": ", ".join(here.telling) or "unknown",
        "Cores of the machine": str(psutil.cpu_count()),
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def describe_versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{package} {version(package)}" for package in packages)


def split_cores() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cores of the server and of the load generator: the last core generates, unless there is but one."""
    cores = usable_cores()
    return (cores, cores) if len(cores) == 1 else (cores[:-1], cores[-1:])


def describe_commit() -> str | None:
    """Which commit of our own runs, with a plus where the clone differs from it; None where this is no clone."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=10", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run([*command], capture_output=True, text=True, check=False)  # noqa: S603  fixed words
    except OSError:
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
