"""Records of a TSV, CSV or JSONL file, each with the line it begins on."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from model_store.errors import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """One row as the file gives it. `place` says where it is, for messages: `line 7 of 'dev.tsv'`."""

    place: str
    fields: dict[str, Any]


def read_table(path: Path) -> list[Record]:
    """The records of a file, by its suffix.

    TSV has no quoting: a field may begin with a bare quote, as many of GLUE's do. CSV has the usual quoting, with
    quoted fields over several lines. JSONL has one object per line. All are UTF-8, with or without a byte order
    mark; TSV and CSV begin with a line of column names.

    Raises:
        DataError: the file has another suffix or no rows, or a line of it cannot be read.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path.name!r} is none of {', '.join(READERS)}; rename or convert it.")
    records = list(reader(_text(path), path.name))
    if not records:
        raise DataError(f"{path.name!r} has no rows; give a file with at least one.")
    return records


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n") + 1
        raise DataError(f"{_place(path.name, line)} is not UTF-8 ({exc.reason}); save the file as UTF-8.") from exc
    except OSError as exc:
        raise DataError(f"{path.name!r} cannot be read ({exc.strerror}).") from exc


def _place(name: str, line: int) -> str:
    return f"Line {line} of {name!r}"


def _tsv(text: str, name: str) -> Iterator[Record]:
    # Not str.splitlines: it also splits at characters that occur inside sentences, such as U+0085.
    header, *lines = (line.rstrip("\r") for line in text.split("\n"))
    columns = header.split("\t")
    for number, line in enumerate(lines, start=2):
        if line:
            yield _row(columns, line.split("\t"), _place(name, number))


def _csv(text: str, name: str) -> Iterator[Record]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        columns = next(reader, [])
        line = reader.line_num + 1
        for fields in reader:
            if fields:
                yield _row(columns, fields, _place(name, line))
            line = reader.line_num + 1
    except csv.Error as exc:
        raise DataError(f"{_place(name, line)} is not CSV ({exc}); check its quotes.") from exc


def _row(columns: list[str], fields: list[str], place: str) -> Record:
    if len(fields) != len(columns):
        raise DataError(f"{place} has {len(fields)} fields, but the first line names {len(columns)} columns.")
    return Record(place, dict(zip(columns, fields, strict=True)))


def _jsonl(text: str, name: str) -> Iterator[Record]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield Record(_place(name, number), msgspec.json.decode(line, type=dict[str, Any]))
        except msgspec.DecodeError as exc:
            raise DataError(f"{_place(name, number)} is not a JSON object ({exc}).") from exc


READERS: dict[str, Callable[[str, str], Iterator[Record]]] = {".tsv": _tsv, ".csv": _csv, ".jsonl": _jsonl}
