"""A ratio over several pairs, with the interval that holds it in 95 of 100 runs."""

from collections.abc import Sequence

import msgspec
import numpy as np

CONFIDENCE = 0.95


class RatioInterval(msgspec.Struct, frozen=True):
    """`low` and `high` are None where the pairs are too few for an interval of 95 %: fewer than six."""

    ratio: float
    low: float | None
    high: float | None


def ratio_interval(ratios: Sequence[float]) -> RatioInterval:
    """The Hodges-Lehmann estimate of the ratio and its exact interval by Wilcoxon's signed ranks, on logarithms.

    The estimate is the median of the geometric means of all pairs of ratios. It assumes that logarithms lie evenly on
    both sides of it, and nothing else of their distribution: one slow minute of the machine moves it little.
    """
    logs = np.log(np.asarray(ratios))
    first, second = np.triu_indices(len(logs))
    means = np.sort((logs[first] + logs[second]) / 2)
    estimate = float(np.exp(np.median(means)))
    outside = _means_outside(len(logs))
    if not outside:
        return RatioInterval(estimate, None, None)
    low, high = np.exp(means[[outside - 1, -outside]])
    return RatioInterval(estimate, float(low), float(high))


def _means_outside(pairs: int) -> int:
    """The place, from either end of the sorted means, of the end of the interval; 0 where there is none."""
    # Of all 2^n choices of signs, how many give each sum of the ranks with a plus.
    choices = np.ones(1)
    for rank in range(1, pairs + 1):
        choices = np.convolve(choices, [1.0, *[0.0] * (rank - 1), 1.0])
    return int(np.sum(np.cumsum(choices) / 2.0**pairs <= (1 - CONFIDENCE) / 2))
