"""Differences of quality that are counted example by example, and how sure they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from loadtest.results.comparison import Difference, Quality

_Z = NormalDist().inv_cdf(0.975)


def encode_right(right: Sequence[bool]) -> str:
    """The `right` of a `Quality`: a bit each, the first one highest; the last digit is filled with zeros."""
    bits = "".join("01"[one] for one in right)
    return "".join(f"{int(bits[place : place + 4].ljust(4, '0'), 2):x}" for place in range(0, len(bits), 4))


def difference_of(right: str, other: str, n: int | None = None) -> Difference:
    """What `right` has right more than `other`, of two `Quality.right` of the same examples.

    `n` is the number of examples; without it every bit of the digits is one, up to three too many. Of answers only
    whether they are right is known, so `agreement` counts examples that both have right or both have wrong.
    """
    ours, theirs = int(right, 16), int(other, 16)
    count = n or 4 * len(right)
    only_ours, only_theirs = (ours & ~theirs).bit_count(), (theirs & ~ours).bit_count()
    found = difference_of_counts(only_ours, only_theirs, count)
    return Difference(found.value, found.interval, found.p, 1 - (only_ours + only_theirs) / count)


def quality_difference(ours: Quality, theirs: Quality) -> Difference | None:
    """What our answers have right more than theirs; None where either was not counted, or on other examples."""
    same = (ours.dataset, ours.n, len(ours.right)) == (theirs.dataset, theirs.n, len(theirs.right))
    return difference_of(ours.right, theirs.right, ours.n) if same and ours.right else None


def is_clearly_less(ours: Quality, theirs: Quality) -> bool:
    """Whether our quality is below theirs beyond chance: example by example where both were counted on the same.

    Otherwise by their own intervals, as of independent examples. A difference of measures without any counts.
    """
    paired = quality_difference(ours, theirs)
    if paired:
        return paired.value < 0 and paired.interval[1] < 0
    difference = theirs.value - ours.value
    if not ours.interval or not theirs.interval:
        return difference > 0
    halves = [(one.interval[1] - one.interval[0]) / 2 for one in (ours, theirs) if one.interval]
    return difference > math.hypot(*halves)


def is_below_floor(ours: Quality | None, first: Quality | None, max_drop: float) -> bool:
    """Whether ours loses more than `max_drop` of the first candidate's quality, and clearly loses any.

    `max_drop` is a share; of metrics on a scale up to 100, in hundredths of that.
    """
    if ours is None or first is None:
        return False
    scale = 100 if max(ours.value, first.value) > 1 else 1
    return first.value - ours.value > max_drop * scale and is_clearly_less(ours, first)


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The share of right answers that one has more than another on the same rows, its interval, and how likely chance
    alone makes one at least so large (`p`)."""

    value: float
    interval: tuple[float, float]
    p: float


def paired_difference(ours: Sequence[bool], theirs: Sequence[bool]) -> PairedDifference:
    """Of which rows were answered rightly, by us and by the others; the same rows in the same order, at least one."""
    only_ours = sum(our and not their for our, their in zip(ours, theirs, strict=True))
    only_theirs = sum(their and not our for our, their in zip(ours, theirs, strict=True))
    return difference_of_counts(only_ours, only_theirs, len(ours))


def difference_of_counts(only_ours: int, only_theirs: int, n: int) -> PairedDifference:
    """Of the rows that only one of two has right, of n.

    The interval of 95 % is Wald's with the adjustment of Bonett and Price 2012 (doi:10.3102/1076998611411915), which
    Fagerland et al. 2014 (doi:10.1002/sim.6148) advise: with b rows that only we have right and c that only they have,
    p₁ = (b + 1)/(n + 2), p₂ = (c + 1)/(n + 2): p₁ - p₂ ± z √((p₁ + p₂ - (p₁ - p₂)²)/(n + 2)).
    """
    first, second = (only_ours + 1) / (n + 2), (only_theirs + 1) / (n + 2)
    middle = first - second
    half = _Z * math.sqrt((first + second - middle**2) / (n + 2))
    interval = max(-1.0, middle - half), min(1.0, middle + half)
    return PairedDifference((only_ours - only_theirs) / n, interval, mcnemar_p(only_ours, only_theirs))


def mcnemar_p(only_ours: int, only_theirs: int) -> float:
    """McNemar's exact test, two-sided: rows that only one has right are as many on either side (a binomial of 1/2).

    McNemar 1947 (doi:10.1007/BF02295996).
    """
    n, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    ways: int = 2**n
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / ways)
