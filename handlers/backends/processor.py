"""The widest vector instructions of this processor, for engines that use what is there and do not tell."""

from pathlib import Path

# Each holds those before it, as far as matrix products are concerned. By the flags of the Linux kernel.
_WIDENING = ("avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")

CPUINFO = Path("/proc/cpuinfo")


def instruction_set(cpuinfo: Path = CPUINFO) -> str:
    """E.g. `avx512_vnni`; empty where it cannot be told."""
    if not cpuinfo.is_file():
        return ""
    lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
    flags = next((set(value.split()) for key, _, value in lines if key.strip() == "flags"), set())
    return next((name for name in reversed(_WIDENING) if name in flags), "")
