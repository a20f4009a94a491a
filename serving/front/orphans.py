"""Processes that this one inherited, as PID 1 of a container does: reaped, so that no zombies gather."""

import asyncio
import contextlib
import ctypes
import logging
import os
from pathlib import Path

from serving import tuning

log = logging.getLogger("paretoserve.supervisor")

_PR_GET_CHILD_SUBREAPER = 37


def inherits_orphans() -> bool:
    """Whether the kernel makes this process the parent of those whose own has died."""
    if os.getpid() == 1:
        return True
    is_subreaper = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(is_subreaper))
    return bool(is_subreaper)


async def reap_orphans() -> None:
    """Reap what was a zombie at two looks in a row, for as long as this runs.

    How a child of our own ended is wanted by who started it, and known to them at once: `waitpid(-1)` would take that
    from them, and they would wait for ever. So what nobody has reaped by the next look is nobody's.
    """
    seen: set[int] = set()
    while True:
        await asyncio.sleep(tuning.SWEEP_S)
        try:
            found = _zombies()
        except FileNotFoundError:
            log.warning("This kernel does not tell our children, so orphans are not reaped; run an init before us.")
            return
        for pid in found & seen:
            _reap(pid)
        seen = found - seen


def _zombies() -> set[int]:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    return {pid for pid in map(int, children.split()) if _is_zombie(pid)}


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _is_zombie(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False
