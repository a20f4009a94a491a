"""Ctrl-C, or SIGTERM, in the middle of work that can be gone on with."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from paretoserve.terminal.progress import errors

# As a shell reports a command that SIGINT ended.
_STOPPED = 130


@contextmanager
def can_go_on(where: str = "from what was kept, a minute ago at most") -> Iterator[None]:
    """Ctrl-C ends the command with a sentence that says `where` the same command goes on."""
    with stopped_with(f"the same command goes on {where}"):
        yield


@contextmanager
def stopped_with(sentence: str) -> Iterator[None]:
    """Ctrl-C ends the command with a sentence about what is left of it.

    So does SIGTERM: whoever ends a command, as a job that is cancelled does, ends the servers that it had started, too.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt as exc:
        errors.print(f"Stopped; {sentence}.", markup=False, soft_wrap=True)
        raise typer.Exit(_STOPPED) from exc
    finally:
        signal.signal(signal.SIGTERM, before)
