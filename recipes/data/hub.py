"""The splits of a Hugging Face data set, as records."""

from typing import Any

from model_store.errors import DataError
from recipes.data.files import Record


def hub_splits(source: str, classes: tuple[str, ...] | None = ()) -> dict[str, list[Record]]:
    """The records of each split of data set `id` or `id:configuration`.

    Where the data set names its classes as `classes` does, in whatever order, its indices become those names; other
    indices stay what they are. With None for `classes`, whatever it calls its classes is taken.

    Raises:
        DataError: `datasets` is not installed, or the data set cannot be had.
    """
    name, _, configuration = source.partition(":")
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError as exc:
        raise DataError(
            f"{source!r} is no file or folder here; to fetch it as a Hugging Face data set, install paretoserve[build]."
        ) from exc
    try:
        splits = load_dataset(name, configuration or None)
    except (OSError, ValueError, DatasetsError) as exc:
        raise DataError(
            f"{source!r} is no file or folder here, and cannot be had as a Hugging Face data set "
            f"({str(exc).splitlines()[0]}); check the name and the network, or give a local file."
        ) from exc
    return {str(split): hub_records(rows, f"{split} of {source!r}", classes) for split, rows in splits.items()}


def hub_records(rows: Any, where: str, classes: tuple[str, ...] | None) -> list[Record]:
    """The rows of one split; `rows` is a `datasets.Dataset`."""
    found = {column: getattr(feature, "names", None) or [] for column, feature in rows.features.items()}
    named = {column: names for column, names in found.items() if names and _are_wanted(names, classes)}
    return [Record(f"Row {i} of {where}", _with_names(row, named)) for i, row in enumerate(rows)]


def _are_wanted(names: list[str], classes: tuple[str, ...] | None) -> bool:
    return classes is None or {name.casefold() for name in names} == {name.casefold() for name in classes}


def _with_names(row: dict[str, Any], named: dict[str, list[str]]) -> dict[str, Any]:
    # A row without a label carries -1, which stays, to be refused as the unknown label it is.
    return row | {column: names[row[column]] for column, names in named.items() if row[column] >= 0}
