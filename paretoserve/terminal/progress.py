"""Progress of long steps: a bar on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of it that is done, 0 to 1."""

# A pipe or a log has no width; tables need this much to show words unbroken.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
# Progress and errors go here, so that a command's result can be piped, and libraries that write to standard output
# do not tear a bar apart.
errors = Console(stderr=True, highlight=False)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """Show a step of some length under `title`; yields the function that moves it on."""
    if errors.is_terminal:
        with _bar(title) as report:
            yield report
    else:
        with _lines(title) as report:
            yield report


@contextmanager
def _bar(title: str) -> Iterator[Progress]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=errors) as bar:
        task = bar.add_task(title, total=1.0)

        def report(what: str, fraction: float) -> None:
            bar.update(task, description=f"{title}: {what}" if what else title, completed=fraction)

        yield report
        bar.update(task, description=title, completed=1.0)


@contextmanager
def _lines(title: str) -> Iterator[Progress]:
    """One line at the start and one at each quarter or new sub-step, so that a log stays readable."""
    last: tuple[str, int] = ("", 0)
    errors.print(f"{title} …", markup=False)

    def report(what: str, fraction: float) -> None:
        nonlocal last
        # Figures within a sub-step change all the time; its first word tells it from another.
        now = (what.split(" ", 1)[0], int(4 * fraction))
        if now != last:
            last = now
            errors.print(f"  {title}: {what} {fraction:.0%}", markup=False)

    yield report
    errors.print(f"{title}: done", markup=False)
