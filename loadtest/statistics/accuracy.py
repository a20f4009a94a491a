"""Differences of quality that are counted example by example."""

from collections.abc import Sequence

from loadtest.results.comparison import Difference, Quality


def encode_right(right: Sequence[bool]) -> str:
    """The `right` of a `Quality`: a bit each, the first one highest; the last digit is filled with zeros."""
    bits = "".join("01"[one] for one in right)
    return "".join(f"{int(bits[place : place + 4].ljust(4, '0'), 2):x}" for place in range(0, len(bits), 4))


def difference_of(right: str, other: str, n: int | None = None) -> Difference:
    """What `right` has right more than `other`, of two `Quality.right` of the same examples.

    `n` is the number of examples; without it every bit of the digits is one, up to three too many.
    """
    raise NotImplementedError


def quality_difference(ours: Quality, theirs: Quality) -> Difference | None:
    """What our answers have right more than theirs; None where either was not counted, or on other examples."""
    raise NotImplementedError
