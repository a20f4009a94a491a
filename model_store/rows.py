"""Labelled examples: what variants are trained and calibrated on, measured on, and loaded with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One example: the text, or the two texts, that the network reads, and what is right.

    What `target` is, the task says: for text classification the index of a label.
    """

    text: str
    text_pair: str | None
    target: Any


@dataclass(frozen=True, slots=True)
class TargetColumn:
    """Where a task's data says what is right, and how that is read.

    `kind` is what messages call it; `names` are the usual names of its column, best first. `read` makes the target of
    a row out of a value; it raises ValueError, with words that go on from "Line 7 of 'dev.tsv' has". `classes` are the
    task's own names of what a value may be, for data sets that number theirs in another order; None takes the data's.
    """

    kind: str
    names: tuple[str, ...]
    read: Callable[[Any], Any]
    classes: tuple[str, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Split:
    """The rows of one split of a data set, e.g. `dev` of `sst2`."""

    dataset: str
    split: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """`train` is for training and calibration, `evaluation` for final figures only."""

    train: Split | None
    evaluation: Split
