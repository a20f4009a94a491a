"""One row per request: what is recorded of it, and how an answer is classed."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

from loadtest.results.phases import STATED, phases_of

Outcome = Literal["ok", "rejected", "failed", "timeout"]

NOTHING_STATED: tuple[float | None, ...] = (None,) * len(STATED)

_TIMING = re.compile(r"(?:^|,)\s*([\w-]+)[^,]*?;\s*dur=(\d+(?:\.\d+)?)")


class RequestRow(NamedTuple):
    """One attempt. Times in seconds count from the start of the campaign on a monotonic clock."""

    user: int
    """Of the closed loop; in the open loop, the number of the arrival."""
    body: int
    """Which of the bodies was sent, from 0."""
    think_s: float
    """The pause drawn before this request; 0 in the open loop."""
    t_due_s: float
    """When it was to be sent: when the pause was over, or by the schedule of arrivals."""
    lag_ms: float
    """How much later it was sent."""
    response_ms: float
    """From when it was due to the last byte of the answer, or to giving up."""
    status: int
    """HTTP status; 0 when no answer came."""
    outcome: Outcome
    stated_ms: tuple[float | None, ...] = NOTHING_STATED
    """What the server says of itself, in the order of `STATED`."""

    @property
    def t_done_s(self) -> float:
        return self.t_due_s + self.response_ms / 1e3

    @property
    def phases_ms(self) -> dict[str, float]:
        """Where the time went, with a sum of `response_ms` less the lag; empty where the server states nothing."""
        stated = {name: ms for name, ms in zip(STATED, self.stated_ms, strict=True) if ms is not None}
        return phases_of(self.response_ms - self.lag_ms, stated)


def rows_since(rows: Sequence[RequestRow], t_s: float) -> Sequence[RequestRow]:
    """The rows answered at `t_s` or later, of rows in the order of their answers."""
    return rows[bisect_left(rows, t_s, key=lambda row: row.t_done_s) :]


def classify(status: int, *, retry_after: bool, timed_out: bool, broken: bool, rejected: bool | None = None) -> Outcome:
    """Classify one answer. `broken` says that the connection failed, whatever status had been read before.

    Rejected is what an overloaded server says on purpose: 429, or 503 with `Retry-After`. Where a platform answers for
    the server, `rejected` is what it says of that.
    """
    if timed_out:
        return "timeout"
    if rejected is None:
        rejected = status == 429 or (status == 503 and retry_after)
    if rejected:
        return "rejected"
    return "ok" if 200 <= status < 300 and not broken else "failed"


def parse_server_timing(header: str) -> dict[str, float]:
    """Milliseconds by name from a `Server-Timing` header (W3C Server Timing), such as `queue;dur=1.2, infer;dur=3`."""
    return {name: float(duration_ms) for name, duration_ms in _TIMING.findall(header)}
