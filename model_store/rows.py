"""Labelled examples: what variants are trained and calibrated on, measured on, and loaded with."""

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
