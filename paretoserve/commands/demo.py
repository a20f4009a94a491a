"""`paretoserve demo`."""

from pathlib import Path
from typing import Annotated

import typer

from paretoserve.commands import campaign_options as told
from paretoserve.commands import options
from paretoserve.terminal.interrupt import can_go_on
from paretoserve.terminal.printing import print_report


@can_go_on()
def demo(
    out: options.Out = Path("demo"),
    users: told.Users = "auto",
    steps: Annotated[int, typer.Option(min=1, help="Training steps of the model; fewer teach it less.")] = 280,
    plain: told.Plain = False,
) -> None:
    """Train a small model on a generated task, build variants of it, compare them, and print the report's path.

    The same command goes on where it was stopped.
    """
    from paretoserve.demo.run import run_demo

    report = run_demo(out, options.parse_levels(users), steps, plain)
    print_report(report, out)
