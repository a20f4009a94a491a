"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of the work behind it, 0 to 1."""


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """The progress of part `index` (from 0) of `count` equal parts."""
    return lambda what, done: progress(what, (index + done) / count)


def stretch(progress: Progress, begin: float, end: float) -> Progress:
    """The progress of a part that takes work from the fraction `begin` of all to the fraction `end`."""
    return lambda what, done: progress(what, begin + (end - begin) * done)


def renamed(progress: Progress, name: str) -> Progress:
    """The same progress, with `name` for whatever is being done."""
    return lambda _, done: progress(name, done)


def followed_by(progress: Progress, check: Callable[[], None]) -> Progress:
    """The same progress, and after each word of it `check`, which may raise to end the work."""

    def told(what: str, done: float) -> None:
        progress(what, done)
        check()

    return told


def silent(what: str, done: float) -> None:
    """Tells nobody."""
