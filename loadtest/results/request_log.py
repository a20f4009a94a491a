"""The file that keeps every request of a campaign: a gzipped CSV with a header."""

import csv
import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from loadtest.results.errors import LoadTestError
from loadtest.results.phases import STATED
from loadtest.results.records import Outcome, RequestRow


class LoggedRow(NamedTuple):
    """A row of the file: a request with the visit in which its answer came."""

    visit: int
    """Place in the order of visits to levels, from 0."""
    at: float
    """Users, or requests per second."""
    measured: bool
    """Whether the answer came inside the measured window of the visit."""
    request: RequestRow


_STATED = tuple(f"{name}_ms" for name in STATED)
_COLUMNS = ("visit", "at", "measured", *RequestRow._fields[:-1], *_STATED)


def append_rows(path: Path, visit: int, at: float, rows: Iterable[tuple[bool, RequestRow]]) -> None:
    """Append the rows of one visit, each with whether it was measured."""
    new = not path.exists()
    with gzip.open(path, "at", newline="", compresslevel=1) as stream:
        writer = csv.writer(stream)
        if new:
            writer.writerow(_COLUMNS)
        writer.writerows(_cells(visit, at, measured, row) for measured, row in rows)


def _cells(visit: int, at: float, measured: bool, row: RequestRow) -> tuple[object, ...]:
    times = f"{row.think_s:.6f}", f"{row.t_due_s:.6f}", f"{row.lag_ms:.3f}", f"{row.response_ms:.3f}"
    return visit, f"{at:g}", int(measured), row.user, row.body, *times, row.status, row.outcome, *row.stated_ms


def read_rows(path: Path) -> tuple[LoggedRow, ...]:
    """Every row of a file that `append_rows` wrote; raises LoadTestError when it is missing or damaged."""
    try:
        with gzip.open(path, "rt", newline="") as stream:
            return tuple(_parse(cells) for cells in csv.DictReader(stream))
    except (OSError, EOFError, KeyError, ValueError, TypeError) as error:
        raise LoadTestError(f"Cannot read the request log '{path}'; run the campaign again ({error}).") from error


def _parse(cells: Mapping[str, str]) -> LoggedRow:
    request = RequestRow(
        user=int(cells["user"]),
        body=int(cells["body"]),
        think_s=float(cells["think_s"]),
        t_due_s=float(cells["t_due_s"]),
        lag_ms=float(cells["lag_ms"]),
        response_ms=float(cells["response_ms"]),
        status=int(cells["status"]),
        outcome=cast(Outcome, cells["outcome"]),
        stated_ms=tuple(float(cells[name]) if cells[name] else None for name in _STATED),
    )
    return LoggedRow(int(cells["visit"]), float(cells["at"]), cells["measured"] == "1", request)
