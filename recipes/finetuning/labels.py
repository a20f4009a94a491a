"""The classes of a data set: how many there are, and what they are called."""

from collections.abc import Sequence
from typing import Any

from model_store.errors import DataError, UnsupportedCheckpoint
from model_store.rows import Split

Labels = tuple[str, ...]

# With more, or with so many that hardly one comes twice, the column holds something else.
_MOST_CLASSES = 1000


def label_value(value: Any) -> str:
    """A label as the data has it; raises ValueError, with words that go on from "Line 7 of 'train.tsv' has"."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if text == "-1":
        raise ValueError("label -1, which stands for none; give rows that have one")
    if not text:
        raise ValueError(f"label {value!r}, where a name or a whole number is wanted")
    return text


def labels_of(train: Split, known: Sequence[Labels]) -> Labels:
    """The labels of the rows of `train`, whose targets are what `label_value` read.

    `known` are labels of models. The first that has as many names, for the same classes or for plain numbers, gives
    them. Without one, numbers from 0 become `LABEL_0` and so on; other classes keep their names, in sorted order.

    Raises:
        DataError: all rows have the same label, or there are too many labels.
    """
    values = {row.target.casefold(): row.target for row in reversed(train.rows)}
    _check(train, sorted(values.values()))
    numbered = values.keys() == {str(i) for i in range(len(values))}
    for names in known:
        same = {name.casefold() for name in names} == values.keys()
        if not _is_generic(names) and len(names) == len(values) and (same or numbered):
            return names
    if numbered:
        return tuple(f"LABEL_{i}" for i in range(len(values)))
    return tuple(sorted(values.values(), key=_order))


def _order(value: str) -> tuple[int, str]:
    """Numbers by their value, before names by their letters."""
    return (int(value), "") if value.isdecimal() else (_MOST_CLASSES, value.casefold())


def _is_generic(names: Labels) -> bool:
    """Whether they say nothing: LABEL_0, LABEL_1."""
    return all(name == f"LABEL_{i}" for i, name in enumerate(names))


def _check(train: Split, values: list[str]) -> None:
    if len(values) < 2:
        raise DataError(
            f"All rows of split {train.split!r} of {train.dataset!r} have label {values[0]!r}; give rows of two "
            "classes at least, or name another column with --label-column."
        )
    if len(values) > max(2, min(_MOST_CLASSES, len(train.rows) // 2)):
        raise DataError(
            f"Split {train.split!r} of {train.dataset!r} has {len(values)} different labels in {len(train.rows)} rows, "
            f"such as {values[0]!r}; name the column of classes with --label-column."
        )


def teacher_order(teacher: str, taught: Labels, labels: Labels) -> list[int]:
    """For each of `labels` the place of the teacher's answer among its own labels, `taught`.

    Raises:
        UnsupportedCheckpoint: the teacher knows other labels.
    """
    places = {name.casefold(): i for i, name in enumerate(taught)}
    if places.keys() == {name.casefold() for name in labels}:
        return [places[name.casefold()] for name in labels]
    if len(taught) == len(labels) and (_is_generic(taught) or _is_generic(labels)):
        return list(range(len(labels)))
    raise UnsupportedCheckpoint(
        f"Teacher {teacher!r} knows the labels {', '.join(taught)}, but the data has {', '.join(labels)}; give a "
        "teacher that was trained on these, or none."
    )
