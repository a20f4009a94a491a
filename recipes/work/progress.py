"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of the work behind it, 0 to 1."""


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """The progress of part `index` (from 0) of `count` equal parts."""
    return lambda what, done: progress(what, (index + done) / count)


def silent(what: str, done: float) -> None:
    """Tells nobody."""
