"""The one comparison of what a network gives for a golden input with what is on record."""

from collections.abc import Sequence

import numpy as np

from model_store.errors import GoldenMismatch


def check_golden(
    what: str, expected: Sequence[float], found: Sequence[float], tolerance: float, what_to_do: str
) -> None:
    """Raises GoldenMismatch, which shows both, where a number is further than `tolerance` (absolute) from its own."""
    want, got = np.asarray(expected, np.float32), np.asarray(found, np.float32)
    # Written so that what is no number is a mismatch too.
    if want.shape == got.shape and bool((np.abs(want - got) <= tolerance).all()):
        return
    raise GoldenMismatch(
        f"{what} should give {want.round(4).tolist()} and gives {got.round(4).tolist()} (tolerance {tolerance:.2g}); "
        f"{what_to_do}."
    )
