"""What machine this is, for the conditions of a report."""

import platform
from importlib.metadata import version
from pathlib import Path

import psutil

# The instruction sets that decide how fast the arithmetic of a variant is.
_TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def describe_machine() -> dict[str, str]:
    """Processor, its telling instruction sets, memory, system and Python."""
    name, flags = _processor()
    return {
        "Processor": name,
        "Instruction sets": ", ".join(flag for flag in _TELLING if flag in flags) or "unknown",
        "Cores of the machine": str(psutil.cpu_count()),
        "Memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "System": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def _processor() -> tuple[str, set[str]]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.is_file():
        return platform.processor() or platform.machine(), set()
    first = cpuinfo.read_text().split("\n\n", maxsplit=1)[0]
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    return facts.get("model name", platform.machine()), set(facts.get("flags", "").split())


def describe_versions(packages: tuple[str, ...]) -> str:
    return ", ".join(f"{package} {version(package)}" for package in packages)
