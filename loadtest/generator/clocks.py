"""How a worker's clock is read from another process: by messages there and back.

Cristian, "Probabilistic Clock Synchronization", Distributed Computing 3 (1989).
"""

from collections.abc import Sequence
from typing import NamedTuple

from loadtest.results.records import RequestRow


class Clock(NamedTuple):
    """Of a worker, against that of the master, in seconds; the error is at most so large."""

    ahead_s: float
    error_s: float


def clock_of(exchanges: Sequence[tuple[float, float, float]]) -> Clock:
    """From messages: when each was sent and its answer came, on the master's clock, and the worker's clock between."""
    sent_s, answered_s, there_s = min(exchanges, key=lambda one: one[1] - one[0])
    return Clock(there_s - (sent_s + answered_s) / 2, (answered_s - sent_s) / 2)


def moved(row: RequestRow, clock: Clock, worker: int, workers: int) -> RequestRow:
    """A worker's row on the clock of the master, with a number of the user that no other worker has."""
    return row._replace(t_due_s=row.t_due_s - clock.ahead_s, user=row.user * workers + worker)
