"""Rows that steps choose by: a part split off the train split, as the evaluation split is for final figures alone."""

import random
from dataclasses import replace

from model_store.errors import DataError
from model_store.rows import Row, Split

# Of the train split; with so many rows, an accuracy is known to about half a point.
SHARE, MOST_ROWS = 0.1, 5000


def split_off_validation(train: Split, seed: int) -> tuple[Split, Split]:
    """What remains of `train`, and the rows split off it; the same for the same seed, both in the order of `train`.

    Raises:
        DataError: as `check_trainable`.
    """
    check_trainable(train)
    kept, split_off = _drawn(train.rows, min(max(1, round(SHARE * len(train.rows))), MOST_ROWS), seed)
    return replace(train, rows=kept), Split(train.dataset, "validation", split_off)


def with_validation_share(train: Split, validation: Split, share: float, seed: int) -> tuple[Split, Split]:
    """The same two splits, with rows moved to `validation` until it has `share` of both together, if it has less.

    What the first split was split into is split again: the same for the same seed.
    """
    missing = round(share * (len(train.rows) + len(validation.rows))) - len(validation.rows)
    kept, moved = _drawn(train.rows, max(0, missing), seed)
    return replace(train, rows=kept), replace(validation, rows=(*validation.rows, *moved))


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


def check_measurable(evaluation: Split) -> None:
    """Refuse rows that say nothing about how good a variant is: one that always gives their only label is perfect.

    Raises:
        DataError: there are several rows, and all have the same label.
    """
    if len(evaluation.rows) > 1 and len({row.target for row in evaluation.rows}) < 2:
        raise DataError(
            f"All {len(evaluation.rows)} rows of the {evaluation.split} split of {evaluation.dataset!r} have the same "
            "label, which says nothing about how good a variant is; give rows of two labels at least to measure on."
        )


def _drawn(rows: tuple[Row, ...], count: int, seed: int) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The rows without `count` of them, and those, both in their order."""
    chosen = set(random.Random(seed).sample(range(len(rows)), count))  # noqa: S311  a split needs no secrets
    kept = tuple(row for i, row in enumerate(rows) if i not in chosen)
    return kept, tuple(row for i, row in enumerate(rows) if i in chosen)
