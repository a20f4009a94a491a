"""One row per request: what is recorded, how an answer is classed, and the file it is kept in."""

import csv
import gzip
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast

from loadtest.errors import LoadTestError

Outcome = Literal["ok", "rejected", "failed", "timeout"]

_TIMING = re.compile(r"(?:^|,)\s*([\w-]+)[^,]*?;\s*dur=(\d+(?:\.\d+)?)")


class RequestRow(NamedTuple):
    """One attempt of one user. Times in seconds count from the start of the campaign on a monotonic clock."""

    user: int
    think_s: float
    """The pause drawn before this request."""
    t_send_s: float
    response_ms: float
    """From sending to the last byte of the answer, or to giving up."""
    status: int
    """HTTP status; 0 when no answer came."""
    outcome: Outcome
    queue_ms: float | None = None
    tokenize_ms: float | None = None
    infer_ms: float | None = None

    @property
    def t_done_s(self) -> float:
        return self.t_send_s + self.response_ms / 1e3


class LoggedRow(NamedTuple):
    """A row of the file: a request with the level in which its answer came."""

    level: int
    """Place of the level in the order of visit, from 0."""
    users: int
    measured: bool
    """Whether the answer came inside the measured window of the level."""
    request: RequestRow


def rows_since(rows: Sequence[RequestRow], t_s: float) -> Sequence[RequestRow]:
    """The rows answered at `t_s` or later, of rows in the order of their answers."""
    return rows[bisect_left(rows, t_s, key=lambda row: row.t_done_s) :]


def classify(status: int, *, retry_after: bool, timed_out: bool, broken: bool) -> Outcome:
    """Classify one answer. `broken` says that the connection failed, whatever status had been read before.

    Rejected is what an overloaded server says on purpose: 429, or 503 with `Retry-After`.
    """
    if timed_out:
        return "timeout"
    if status == 429 or (status == 503 and retry_after):
        return "rejected"
    return "ok" if 200 <= status < 300 and not broken else "failed"


def parse_server_timing(header: str) -> dict[str, float]:
    """Milliseconds by name from a `Server-Timing` header (W3C Server Timing), such as `queue;dur=1.2, infer;dur=3`."""
    return {name: float(duration_ms) for name, duration_ms in _TIMING.findall(header)}


_COLUMNS = ("level", "users", "measured", *RequestRow._fields)


def _cells(level: int, users: int, measured: bool, row: RequestRow) -> tuple[object, ...]:
    return (
        level,
        users,
        int(measured),
        row.user,
        f"{row.think_s:.6f}",
        f"{row.t_send_s:.6f}",
        f"{row.response_ms:.3f}",
        *row[4:],
    )


def append_rows(path: Path, level: int, users: int, rows: Iterable[tuple[bool, RequestRow]]) -> None:
    """Append the rows of one level, each with whether it was measured, to a gzipped CSV file with a header."""
    new = not path.exists()
    with gzip.open(path, "at", newline="", compresslevel=1) as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(_COLUMNS)
        writer.writerows(_cells(level, users, measured, row) for measured, row in rows)


def _optional(cell: str) -> float | None:
    return float(cell) if cell else None


def _parse(cells: Mapping[str, str]) -> LoggedRow:
    request = RequestRow(
        user=int(cells["user"]),
        think_s=float(cells["think_s"]),
        t_send_s=float(cells["t_send_s"]),
        response_ms=float(cells["response_ms"]),
        status=int(cells["status"]),
        outcome=cast(Outcome, cells["outcome"]),
        queue_ms=_optional(cells["queue_ms"]),
        tokenize_ms=_optional(cells["tokenize_ms"]),
        infer_ms=_optional(cells["infer_ms"]),
    )
    return LoggedRow(int(cells["level"]), int(cells["users"]), cells["measured"] == "1", request)


def read_rows(path: Path) -> tuple[LoggedRow, ...]:
    """Every row of a file that `append_rows` wrote; raises LoadTestError when it is missing or damaged."""
    try:
        with gzip.open(path, "rt", newline="") as stream:
            return tuple(_parse(cells) for cells in csv.DictReader(stream))
    except (OSError, EOFError, KeyError, ValueError, TypeError) as error:
        raise LoadTestError(f"Cannot read the request log '{path}'; run the campaign again ({error}).") from error
