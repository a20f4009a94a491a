"""How a worker's clock is read from another process: by messages there and back.

Cristian, "Probabilistic Clock Synchronization", Distributed Computing 3 (1989).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from loadtest.results.errors import LoadTestError
from loadtest.results.records import RequestRow

# How far a worker's clock may be from what is known of it: half of the quickest message there and back.
MOST_CLOCK_ERROR_MS = 5.0


class Clock(NamedTuple):
    """Of a worker, against that of the master, in seconds; the error is at most so large."""

    ahead_s: float
    error_s: float


def clock_of(exchanges: Sequence[tuple[float, float, float]]) -> Clock:
    """From messages: when each was sent and its answer came, on the master's clock, and the worker's clock between."""
    sent_s, answered_s, there_s = min(exchanges, key=lambda one: one[1] - one[0])
    return Clock(there_s - (sent_s + answered_s) / 2, (answered_s - sent_s) / 2)


def check_clocks(clocks: Iterable[Clock]) -> None:
    """Raises LoadTestError where one is not known well enough to put requests of several workers in one order."""
    worst_ms = 1e3 * max(clock.error_s for clock in clocks)
    if worst_ms > MOST_CLOCK_ERROR_MS:
        raise LoadTestError(
            f"The clock of a worker is known to {worst_ms:.1f} ms only, and has to be to {MOST_CLOCK_ERROR_MS:g} ms; "
            "run workers nearer to this machine, or on machines that are less busy."
        )


def moved(row: RequestRow, clock: Clock, worker: int, workers: int) -> RequestRow:
    """A worker's row on the clock of the master, with a number of the user that no other worker has."""
    return row._replace(t_due_s=row.t_due_s - clock.ahead_s, user=row.user * workers + worker)
