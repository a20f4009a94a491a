"""Progress of long steps: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Column

Progress = Callable[[str, float], None]
"""Called with what is being done and the fraction of it that is done, 0 to 1."""

LINE_EVERY_S = 60.0

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
    with new_bar() as bar:
        task = bar.add_task(title, total=1.0)

        def report(what: str, fraction: float) -> None:
            bar.update(task, description=f"{title}: {what}" if what else title, completed=fraction)

        yield report
        bar.update(task, description=title, completed=1.0)


def new_bar() -> Bar:
    """A bar whose words come last and may take two lines: on a narrow terminal none of them is cut off."""
    return Bar(
        SpinnerColumn(table_column=_fixed(1)),
        BarColumn(16, table_column=_fixed(16)),
        TaskProgressColumn(table_column=_fixed(4)),
        TimeElapsedColumn(table_column=_fixed(7)),
        TextColumn("{task.description}", table_column=Column()),
        console=errors,
    )


def _fixed(width: int) -> Column:
    return Column(no_wrap=True, width=width)


@contextmanager
def _lines(title: str) -> Iterator[Progress]:
    """One line at the start, one at each quarter or new sub-step, and one a minute, so that a log stays readable."""
    last, printed_s = ("", 0), time.monotonic()
    errors.print(f"{title} …", markup=False)

    def report(what: str, fraction: float) -> None:
        nonlocal last, printed_s
        # Figures within a sub-step change all the time; its first word tells it from another.
        now = (what.split(" ", 1)[0], int(4 * fraction))
        if now != last or time.monotonic() - printed_s >= LINE_EVERY_S:
            last, printed_s = now, time.monotonic()
            errors.print(f"  {title}: {what} {fraction:.0%}", markup=False, soft_wrap=True)

    yield report
    errors.print(f"{title}: done", markup=False)
