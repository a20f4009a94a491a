"""Memory that nobody uses goes back to the system: the C library keeps it for later, a little more after every peak."""

import asyncio
import ctypes

from serving import tuning

# Of glibc alone.
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back_free_memory() -> None:
    """Takes a few milliseconds. Where the C library is another one, nothing is done."""
    if _malloc_trim is not None:
        _malloc_trim(0)


async def give_back_now_and_then() -> None:
    """For as long as this runs."""
    while True:
        await asyncio.sleep(tuning.TRIM_S)
        give_back_free_memory()
