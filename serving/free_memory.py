"""Memory that nobody uses goes back to the system: the C library keeps it for later, a little more after every peak.

It maps a large block for itself and unmaps it when it is freed, but what it calls large grows with each such block, up
to 32 MiB. Blocks of that size then lie in the heap between small ones that stay, and after hours the heap is mostly
holes (`M_MMAP_THRESHOLD` in mallopt(3)).
"""

import asyncio
import ctypes

from serving import tuning

# Of glibc alone.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
_M_MMAP_THRESHOLD = -3


def map_large_blocks() -> None:
    """From now on what is a large block stays the same. Where the C library is not glibc, nothing is done.

    Not for a process whose every call takes large blocks and frees them, as PyTorch on a processor does: its calls take
    a quarter longer when each of these is mapped anew.
    """
    if _malloc_trim is not None and _mallopt is not None:
        _mallopt(_M_MMAP_THRESHOLD, tuning.LARGE_BLOCK_BYTES)


def give_back_free_memory() -> None:
    """Takes a few milliseconds. Where the C library is another one, nothing is done."""
    if _malloc_trim is not None:
        _malloc_trim(0)


async def give_back_now_and_then() -> None:
    """For as long as this runs."""
    while True:
        await asyncio.sleep(tuning.TRIM_S)
        give_back_free_memory()
