"""Processes that end with the block they are started for, also where Ctrl-C comes while they start."""

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any


@contextmanager
def child_process(command: Sequence[str], stop_s: float, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """Start `command` with the `options` of `subprocess.Popen`; it is ended with the block, as by `end`."""
    with ExitStack() as stack:
        with interrupts_deferred():
            process = subprocess.Popen(command, **options)  # noqa: S603  callers start programs that they name
            stack.callback(end, process, stop_s)
        yield process


def end(process: "subprocess.Popen[bytes]", stop_s: float) -> None:
    """Asks a process to end, where it runs, and kills it if it has not within `stop_s`."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(stop_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """SIGINT and SIGTERM take effect at the end of the block, where Python handles them.

    They are not blocked (`pthread_sigmask`): a process that is started meanwhile would never receive them.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python runs the handlers of signals in the main thread alone.
        yield
        return
    received: list[int] = []

    def record(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handled = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in handled:
        signal.signal(number, record)
    try:
        yield
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
