"""What `paretoserve env list` prints."""

from rich.table import Table

from loadtest.summary import MISSING
from paretoserve.environments.catalogue import EnvironmentState
from paretoserve.terminal.tables import empty_table


def environments_table(states: list[EnvironmentState]) -> Table:
    """Each environment: the backends that it runs, by which interpreter, with which engine, and its size."""
    table = empty_table("environment", "backends", "engine", "MB", "interpreter")
    for text in (table.columns[1], table.columns[-1]):
        text.justify, text.overflow = "left", "fold"
    for state in states:
        size = MISSING if state.bytes is None else f"{state.bytes / 1e6:.0f}"
        engine = state.engine_version or MISSING
        table.add_row(state.name, ", ".join(state.backends) or MISSING, engine, size, _interpreter(state))
    return table


def _interpreter(state: EnvironmentState) -> str:
    if state.interpreter:
        return str(state.interpreter)
    return "this interpreter" if state.engine_version else "not created"
