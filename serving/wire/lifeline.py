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
from typing import NoReturn

_PR_SET_PDEATHSIG = 1


def tie(connection_fd: int) -> None:
    """End this process when its parent dies, however that dies, and then its whole process group.

    The process must lead its group. Nothing that it starts inherits the descriptors that it was started with.
    """
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208  pathlib takes long to import
        if fd > 2:
            with contextlib.suppress(OSError):  # the one that the folder was read by is closed again
                os.set_inheritable(fd, False)
    _die_with_the_parent(connection_fd)
    _end_the_group_afterwards()


def _die_with_the_parent(connection_fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # One that died before is not told of; its end of the socket is closed.
    connection = select.poll()
    connection.register(connection_fd, 0)
    if connection.poll(0):
        os._exit(0)


def _end_the_group_afterwards() -> None:
    """Leave a process that does nothing but wait for the end of this one, and then ends what is left of its group.

    The kernel tells of a death by signal to children only, not to theirs.
    """
    leader = os.getpid()
    end = os.pidfd_open(leader)
    if os.fork():
        os.close(end)
    else:
        _wait_and_end(leader, end)


def _wait_and_end(leader: int, end: int) -> NoReturn:
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in (0, 1, 2):
            os.dup2(nothing, standard)
        # Nobody who waits for the end of a socket or a pipe of the worker's may wait for this process.
        os.closerange(3, end)
        os.closerange(end + 1, os.sysconf("SC_OPEN_MAX"))
        waiting = select.poll()
        waiting.register(end, select.POLLIN)
        waiting.poll()
        os.killpg(leader, signal.SIGKILL)
    finally:
        os._exit(0)


def main() -> None:
    *arguments, module = sys.argv[1:]
    tie(int(arguments[0]))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
