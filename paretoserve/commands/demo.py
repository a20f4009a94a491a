"""`paretoserve demo`."""

from pathlib import Path

from paretoserve.commands import options
from paretoserve.terminal.printing import print_report


def demo(
    out: options.Out = Path("demo"),
    users: options.Users = "4,8,16,32,64",
) -> None:
    """Train a small model on a generated task, build variants of it, compare them, and print the report's path."""
    from paretoserve.demo.run import run_demo

    report = run_demo(out, options.parse_levels(users))
    print_report(report, out)
