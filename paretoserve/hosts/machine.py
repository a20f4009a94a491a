"""What machine this is, for the conditions of a report."""

import platform
from importlib.metadata import version

import psutil

from handlers.backends.processor import processor


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
