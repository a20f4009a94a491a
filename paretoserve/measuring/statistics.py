"""How sure a share of right answers is, and a difference of two shares on the same rows. The standard library alone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from recipes.finetuning.scores import wilson

CONFIDENCE = 0.95

_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)


def interval_of(value: float, right: int | None, n: int) -> tuple[float, float] | None:
    """Wilson's of a metric that is the share of right answers; None of any other."""
    return wilson(right, n) if right is not None and math.isclose(value, right / n) else None


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The share of right answers that one has more than another on the same rows, its interval, and how likely chance
    alone makes one at least so large (`p`)."""

    value: float
    interval: tuple[float, float]
    p: float


def paired_difference(ours: Sequence[bool], theirs: Sequence[bool]) -> PairedDifference:
    """Of which rows were answered rightly, by us and by the others; the same rows in the same order, at least one.

    The interval of 95 % is Wald's with the adjustment of Bonett and Price 2012 (doi:10.3102/1076998611411915), which
    Fagerland et al. 2014 (doi:10.1002/sim.6148) advise: with b rows that only we have right and c that only they have,
    p₁ = (b + 1)/(n + 2), p₂ = (c + 1)/(n + 2): p₁ - p₂ ± z √((p₁ + p₂ - (p₁ - p₂)²)/(n + 2)).
    """
    only_ours = sum(our and not their for our, their in zip(ours, theirs, strict=True))
    only_theirs = sum(their and not our for our, their in zip(ours, theirs, strict=True))
    n = len(ours)
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
