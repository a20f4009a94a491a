"""How much a figure of one comparison is of that of another one, which has no block in common with it."""

from math import exp, hypot, log
from typing import NamedTuple

Interval = tuple[float | None, float | None]


class Estimate(NamedTuple):
    """Above 0, with its interval of 95 %; an end that is not bounded is None."""

    value: float
    interval: Interval


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
