"""What every worker is started through: it does not outlive its front, and what it starts does not outlive it.

Run as `python -m serving.wire.lifeline FD CONFIG MODULE`, it runs `MODULE FD CONFIG` as `python -m` would. Linux only.
It imports nothing that takes long, so that it holds from the worker's first moment on.
"""

import contextlib
import ctypes
import os
import runpy
import select
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def tie(connection_fd: int) -> None:
    """End this process when its parent dies, however that dies, and then its whole process group.

    The process must lead its group. Nothing that it starts inherits the descriptors that it was started with.
    """
    for fd in _descriptors():
        with contextlib.suppress(OSError):
            os.set_inheritable(fd, False)
    _signal_me_when_my_parent_dies(signal.SIGKILL)
    # One that died before is not told of; its end of the socket is closed.
    connection = select.poll()
    connection.register(connection_fd, 0)
    if connection.poll(0):
        os._exit(0)
    _end_the_group_afterwards()


def _descriptors() -> Iterator[int]:
    """All that are open but the standard ones; the one that the folder is read by is closed again by then."""
    listed = os.listdir("/proc/self/fd")  # noqa: PTH208  pathlib takes long to import
    return (fd for fd in map(int, listed) if fd > 2)


def _signal_me_when_my_parent_dies(number: signal.Signals) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def _end_the_group_afterwards() -> None:
    """Leave a process that does nothing but wait for the end of this one, and then ends what is left of its group.

    The kernel tells of a death by signal to children only, not to theirs.
    """
    leader = os.getpid()
    if os.fork() == 0:
        _wait_and_end(leader)


def _wait_and_end(leader: int) -> NoReturn:
    try:
        os.setsid()
        _hold_nothing_open()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        _signal_me_when_my_parent_dies(signal.SIGTERM)
        while os.getppid() == leader:
            signal.sigwait({signal.SIGTERM})
        os.killpg(leader, signal.SIGKILL)
    finally:
        os._exit(0)


def _hold_nothing_open() -> None:
    """Nobody who waits for the end of a socket or a pipe of the worker's may wait for this process."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for fd in _descriptors():
        with contextlib.suppress(OSError):
            os.close(fd)


def main() -> None:
    *arguments, module = sys.argv[1:]
    tie(int(arguments[0]))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
