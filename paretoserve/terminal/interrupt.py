"""Ctrl-C in the middle of work that can be gone on with."""

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
    """Ctrl-C ends the command with a sentence about what is left of it."""
    try:
        yield
    except KeyboardInterrupt as exc:
        errors.print(f"Stopped; {sentence}.", markup=False, soft_wrap=True)
        raise typer.Exit(_STOPPED) from exc
