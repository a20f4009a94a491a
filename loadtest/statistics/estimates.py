"""How much a figure of one comparison is of that of another one, which has no block in common with it."""

from collections.abc import Sequence
from math import exp, hypot, log
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

Interval = tuple[float | None, float | None]


class Estimate(NamedTuple):
    """Above 0, with its interval of 95 %; an end that is not bounded is None."""

    value: float
    interval: Interval


def estimate_of(values: Sequence[float]) -> Estimate | None:
    """The geometric mean of figures of several runs, with Student's interval of their logarithms; None of fewer than
    two."""
    if len(values) < 2:
        return None
    logs = np.log(values)
    half = float(student_t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    middle = float(logs.mean())
    return Estimate(exp(middle), (exp(middle - half), exp(middle + half)))


def ratio_of_estimates(over: Estimate, under: Estimate) -> Estimate:
    """Of two independent estimates, each with its own interval.

    By the method of variance estimates recovery on logarithms: Zou and Donner 2008 (doi:10.1002/sim.3095).
    """
    value = over.value / under.value
    down = _combined(_log(over.value, over.interval[0]), _log(under.value, under.interval[1]))
    up = _combined(_log(over.value, over.interval[1]), _log(under.value, under.interval[0]))
    low = value * exp(-down) if down is not None else None
    return Estimate(value, (low, value * exp(up) if up is not None else None))


def _log(value: float, end: float | None) -> float | None:
    return None if not end else log(end / value)


def _combined(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else hypot(ours, theirs)
