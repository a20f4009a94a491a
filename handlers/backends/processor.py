"""What processor this is, and the widest vector instructions that it has, as Linux tells it."""

import platform
from dataclasses import dataclass
from pathlib import Path

# Each holds those before it, as far as matrix products are concerned. By the flags of the Linux kernel.
_WIDENING = ("avx", "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8")

# The instruction sets that decide how fast the arithmetic of a variant is.
_TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")

CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Processor:
    """`flags` are all that the kernel lists; none where it lists none."""

    name: str
    flags: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """What decides how fast engines are on it, and which of them is the fastest."""
        return f"{self.name} ({', '.join(self.telling) or 'unknown instruction sets'})"

    @property
    def telling(self) -> tuple[str, ...]:
        return tuple(flag for flag in _TELLING if flag in self.flags)


def processor(cpuinfo: Path = CPUINFO) -> Processor:
    """The first processor of this machine; others are taken to be like it."""
    if not cpuinfo.is_file():
        return Processor(platform.processor() or platform.machine())
    first = cpuinfo.read_text().strip().split("\n\n", maxsplit=1)[0]
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}
    return Processor(facts.get("model name", platform.machine()), frozenset(facts.get("flags", "").split()))


def instruction_set(cpuinfo: Path = CPUINFO) -> str:
    """E.g. `avx512_vnni`, for engines that use what is there and do not tell; empty where it cannot be told."""
    flags = processor(cpuinfo).flags
    return next((name for name in reversed(_WIDENING) if name in flags), "")
