"""The command to run after reading a report."""

import re

from loadtest.results.comparison import Report
from loadtest.statistics.verdict import Verdict

# The condition that has the command which made the report.
COMMAND = "Command"
# More blocks than these would take a day: then nothing is suggested.
_MOST_BLOCKS = 20


def next_command(report: Report, found: Verdict) -> str | None:
    """More blocks where they may decide, the whole comparison after a quick one, else serving what is recommended.

    None where the report does not say how it was made, or where nothing follows.
    """
    made = report.conditions.get(COMMAND, "")
    if not made.startswith("paretoserve compare "):
        return None
    if report.is_quick:
        return re.sub(r" --quick\b", "", made)
    if found.may_hold_more:
        return _with_more_users(made)
    if found.kind == "undecided":
        more = found.more_blocks
        if not more or more > _MOST_BLOCKS:
            return None
        return f"{re.sub(r' --blocks[ =][0-9]+', '', made)} --blocks {report.blocks + more}"
    store = re.search(r"--store[ =](\S+)", made)
    if found.recommended is None or store is None:
        return None
    return f"paretoserve serve {store[1].rstrip('/')}/{found.recommended}"


def _with_more_users(made: str) -> str | None:
    """With two further levels, twice as high each."""
    levels = re.search(r"--users[ =]([0-9,]*?([0-9]+))(?= |$)", made)
    if levels is None:
        return None
    most = int(levels[2])
    return f"{made[: levels.end()]},{2 * most},{4 * most}{made[levels.end() :]}"
