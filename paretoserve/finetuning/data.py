"""Labelled data whose classes nobody has named yet: the data says how many there are and what they are called."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from handlers.tasks.text_classification import TextClassification
from model_store.errors import DataError
from model_store.rows import Split
from recipes.data.rows import Columns, load_data
from recipes.finetuning.labels import Labels, label_value, labels_of


def read_labelled(source: str, columns: Columns, known: Sequence[Labels]) -> tuple[Labels, Split, Split]:
    """The labels, the rows to train on and the rows to measure on, whose targets are indices of the labels.

    `known` are labels of models, whose names are taken where they fit.

    Raises:
        DataError: the data cannot be read, has no train split, or has labels that cannot be learnt.
    """
    column = replace(TextClassification(()).target, read=label_value, classes=None)
    data = load_data(source, column, columns)
    if data.train is None:
        raise DataError(
            f"{source!r} has no train split; give a folder with train.* to train on, beside {data.evaluation.split}.* "
            "to measure on."
        )
    labels = labels_of(data.train, known)
    _check(data.train, data.evaluation)
    read = TextClassification(labels).target.read
    return labels, _indexed(data.train, read), _indexed(data.evaluation, read)


def _check(train: Split, evaluation: Split) -> None:
    learnt = {row.target.casefold() for row in train.rows}
    strange = next((row.target for row in evaluation.rows if row.target.casefold() not in learnt), None)
    if strange is not None:
        raise DataError(
            f"Split {evaluation.split!r} of {evaluation.dataset!r} has label {strange!r}, which no row of its train "
            f"split has; known are {', '.join(sorted(learnt)[:20])}."
        )


def _indexed(split: Split, read: Callable[[Any], Any]) -> Split:
    return replace(split, rows=tuple(replace(row, target=read(row.target)) for row in split.rows))
