"""Rows from files, folders and data sets of the Hub."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_store.errors import DataError
from model_store.rows import Data, Row, Split, TargetColumn
from recipes.data.files import READERS, Record, read_table
from recipes.data.hub import hub_splits

TRAIN = ("train",)
EVALUATION = ("dev", "validation", "valid", "test")

# Text columns of the common data sets, each with the column of the second text that goes with it.
_TEXTS = {
    "sentence": "sentence2",
    "text": "text_pair",
    "sentence1": "sentence2",
    "premise": "hypothesis",
    "question1": "question2",
    "question": "sentence",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns where they are not to be guessed; matched without regard to case."""

    text: str | None = None
    text_pair: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    dataset: str
    split: str
    records: Sequence[Record]


def load_data(source: str, target: TargetColumn, columns: Columns = Columns()) -> Data:
    """The data in `source`: a TSV, CSV or JSONL file, a folder of such files, or a Hugging Face data set.

    A single file is the evaluation split. A folder holds `train.*` and one of `dev|validation|valid|test.*`. What
    is no path is a data set's id, or `id:configuration`. What is right is read as the task says in `target`.

    Raises:
        DataError: the source is not there, lacks a column, or has a row that cannot be read.
    """
    train, evaluation = _tables(source, target.classes)
    return Data(
        train=_split(train, target, columns) if train else None,
        evaluation=_split(evaluation, target, columns),
    )


def read_texts(source: str, columns: Columns = Columns()) -> tuple[tuple[str, str | None], ...]:
    """The texts of the evaluation split of `source`, each with its second text or None; no target column is needed.

    Raises:
        DataError: as `load_data`.
    """
    _, table = _tables(source)
    read_text = _text_reader(table, columns)
    return tuple(read_text(record) for record in table.records)


def _tables(source: str, classes: tuple[str, ...] | None = ()) -> tuple[_Table | None, _Table]:
    path = Path(source)
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        return None, _file(path)
    if path.suffix.lower() in READERS or path.is_absolute() or source.startswith("."):
        raise DataError(f"There is no file or folder {source!r}; give the path of a file of {', '.join(READERS)}.")
    splits = hub_splits(source, classes)
    train, evaluation = _first(splits, TRAIN), _first(splits, EVALUATION)
    if evaluation is None:
        raise DataError(
            f"Data set {source!r} has no split named {' or '.join(EVALUATION)}; it has {', '.join(splits)}."
        )
    return _Table(source, train, splits[train]) if train else None, _Table(source, evaluation, splits[evaluation])


def _first(names: dict[str, Any], wanted: tuple[str, ...]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _folder(folder: Path) -> tuple[_Table | None, _Table]:
    files = {path.stem.lower(): path for path in sorted(folder.iterdir()) if path.suffix.lower() in READERS}
    train, evaluation = _first(files, TRAIN), _first(files, EVALUATION)
    if evaluation is None:
        raise DataError(
            f"Folder {folder.name!r} has none of {', '.join(EVALUATION)} as {', '.join(READERS)}; "
            "put the rows to measure on there."
        )
    return _file(files[train]) if train else None, _file(files[evaluation])


def _file(path: Path) -> _Table:
    return _Table(path.resolve().parent.name, path.stem, read_table(path))


def _split(table: _Table, target: TargetColumn, columns: Columns) -> Split:
    read_text, read_target = _text_reader(table, columns), _target_reader(table, target, columns)
    rows = tuple(Row(*read_text(record), read_target(record)) for record in table.records)
    return Split(table.dataset, table.split, rows)


def _text_reader(table: _Table, columns: Columns) -> Callable[[Record], tuple[str, str | None]]:
    found = _column_names(table)
    first = _column(found, columns.text, tuple(_TEXTS), "text", "--text-column")
    partner = _TEXTS.get(first.lower())
    if columns.text_pair is None and partner not in found:
        return lambda record: (_string(record, first), None)
    pair = _column(found, columns.text_pair or partner, (), "text pair", "--text-pair-column")
    return lambda record: (_string(record, first), _string(record, pair))


def _column_names(table: _Table) -> dict[str, str]:
    """The columns of the table by their lower-case names."""
    return {name.lower(): name for name in table.records[0].fields}


def _column(found: dict[str, str], given: str | None, usual: tuple[str, ...], kind: str, option: str) -> str:
    wanted = (given.lower(),) if given else usual
    column = next((found[name] for name in wanted if name in found), None)
    if column is None:
        missing = repr(given) if given else f"for the {kind}"
        raise DataError(
            f"There is no column {missing}; found {', '.join(map(repr, found.values()))}: "
            f"name the right one with {option}."
        )
    return column


def _string(record: Record, column: str) -> str:
    value = record.fields.get(column)
    if not isinstance(value, str):
        raise DataError(f"{record.place} has {value!r} in column {column!r}, where a text is wanted.")
    return value


def _target_reader(table: _Table, target: TargetColumn, columns: Columns) -> Callable[[Record], Any]:
    column = _column(_column_names(table), columns.target, target.names, target.kind, "--label-column")

    def read(record: Record) -> Any:
        try:
            return target.read(record.fields.get(column))
        except ValueError as exc:
            raise DataError(f"{record.place} has {exc}.") from exc

    return read
