"""Rows that steps choose by: a part split off the train split, as the evaluation split is for final figures alone."""

import random

from model_store.errors import DataError
from model_store.rows import Split

# Of the train split; with so many rows, an accuracy is known to about half a point.
SHARE, MOST_ROWS = 0.1, 5000


def split_off_validation(train: Split, seed: int) -> tuple[Split, Split]:
    """What remains of `train`, and the rows split off it; the same for the same seed, both in the order of `train`.

    Raises:
        DataError: as `check_trainable`.
    """
    check_trainable(train)
    count = len(train.rows)
    size = min(max(1, round(SHARE * count)), MOST_ROWS)
    chosen = set(random.Random(seed).sample(range(count), size))  # noqa: S311  a split needs no secrets
    kept = tuple(row for i, row in enumerate(train.rows) if i not in chosen)
    split_off = tuple(row for i, row in enumerate(train.rows) if i in chosen)
    return Split(train.dataset, train.split, kept), Split(train.dataset, "validation", split_off)


def check_trainable(train: Split) -> None:
    """Refuse rows that nothing can be learnt from.

    Raises:
        DataError: there are fewer than two rows, or all have the same label.
    """
    count = len(train.rows)
    if count < 2:
        raise DataError(f"The train split of {train.dataset!r} has {count} rows; give at least two to train on.")
    if len({row.target for row in train.rows}) < 2:
        raise DataError(
            f"All rows of the train split of {train.dataset!r} have the same label; give rows of two labels at least "
            "to train on."
        )
