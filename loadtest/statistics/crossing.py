"""Where a share that rises with the load crosses a limit, and how sure that is.

The load is a number of users, or a rate. Near the limit the log-odds of an unserved request rise about linearly with
its logarithm, so a logistic curve is fitted there (McCullagh and Nelder, "Generalized Linear Models", 1989, chapter 4).
Rejections come in bursts: a full queue stays full for a while. Their scatter from one second to the next is several
times the binomial one, which is estimated and widens the interval (quasi-likelihood, chapter 9). The interval is of the
profile likelihood: it needs neither symmetry nor a point estimate inside the levels. At a cliff, where everything is
served at one level and far more than the limit is not at the next, the curve's shape is all that would tell where
between the two it lies, so the interval has both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import logit
from scipy.stats import f as fisher_f

from loadtest.results.visits import Slice, Visit

Floats = NDArray[np.float64]
Interval = tuple[float | None, float | None]

# What bursts of rejections were found to be in simulations of queues of 3 to 16 ms, and how many observed seconds that
# is worth: a level with a single burst, or none, says little about its own scatter.
USUAL_DISPERSION, USUAL_WEIGHT = 6.0, 8

# The curve is fitted to levels up to so many times the crossing, and down to the same part of it: farther off it bends.
NEARNESS = 1.3

# Where more than that is bad, the curve has bent, as no more than all can be bad.
LARGEST_SHARE = 0.2

# The slopes of the log-odds over the logarithm of the load that are tried: from hardly rising to a cliff.
_SLOPES = np.geomspace(3, 200, 50)

_PLACES, _MARGIN = 600, 1.5
_PASSES = 4


@dataclass(frozen=True, slots=True)
class Crossing:
    """`at` is the best estimate; an end of the `interval` (95 %) that the visits do not bound is None.

    The scatter between seconds is `dispersion` times the binomial one.
    """

    at: float
    interval: Interval
    dispersion: float


def around(levels: Iterable[float], at: float) -> tuple[float | None, float | None]:
    """The highest level up to a load, and the lowest above it."""
    levels = tuple(levels)
    below = max((level for level in levels if level <= at), default=None)
    return below, min((level for level in levels if level > at), default=None)


def crossing_of(visits: Sequence[Visit], share: float) -> Crossing:
    """Where the share of bad requests crosses `share`; visits to the same level are pooled.

    There must be one attempt.
    """
    levels = _pooled(visits)
    dispersion, freedom = dispersion_of(levels)
    places = np.geomspace(levels[0].at / _MARGIN, levels[-1].at * _MARGIN, _PLACES)
    used = _near(levels, _begin(levels, share))
    for _ in range(_PASSES):
        profile = _profile(used, places, share)
        best = float(places[profile.argmax()])
        if (near := _near(levels, best)) == used:
            break
        used = near
    allowed = fisher_f.ppf(0.95, 1, freedom) * dispersion / 2
    inside = np.flatnonzero(profile >= profile.max() - allowed)
    low = float(places[inside[0]]) if inside[0] > 0 else None
    high = float(places[inside[-1]]) if inside[-1] < len(places) - 1 else None
    return Crossing(best, _with_cliff((low, high), levels, best), dispersion)


def _with_cliff(interval: Interval, levels: Sequence[Visit], at: float) -> Interval:
    """The interval; where the next level above leaves so much unserved that the curve has bent, with both levels."""
    low, high = interval
    below, above = (
        next((one for one in levels if one.at == end), None) for end in around((one.at for one in levels), at)
    )
    if below is None or above is None or _share(above) <= LARGEST_SHARE:
        return interval
    return (None if low is None else min(low, below.at)), (None if high is None else max(high, above.at))


def _pooled(visits: Sequence[Visit]) -> list[Visit]:
    """One visit per level, in rising order."""
    slices: dict[float, tuple[Slice, ...]] = {}
    for visit in visits:
        slices[visit.at] = slices.get(visit.at, ()) + tuple(one for one in visit.slices if one.attempts)
    return [Visit(at, slices[at]) for at in sorted(slices) if slices[at]]


def dispersion_of(levels: Sequence[Visit]) -> tuple[float, float]:
    """The variance of the seconds within levels by the binomial one, drawn towards the usual; degrees of freedom."""
    squares, freedom = USUAL_DISPERSION * USUAL_WEIGHT, float(USUAL_WEIGHT)
    for level in levels:
        attempts, unserved = _counts(level)
        share = unserved.sum() / attempts.sum()
        if 0 < share < 1:
            residuals = (unserved - share * attempts) / np.sqrt(attempts * share * (1 - share))
            # A burst that lasts into the next second counts as one.
            squares += float(residuals @ residuals + 2 * max(0.0, float(residuals[1:] @ residuals[:-1])))
            freedom += len(attempts) - 1
    return max(1.0, squares / freedom), freedom


def _counts(level: Visit) -> tuple[Floats, Floats]:
    attempts, unserved = np.array(level.slices, dtype=float).T
    return attempts, unserved


def _totals(levels: Sequence[Visit]) -> tuple[Floats, Floats]:
    """Of each level its attempts and the bad ones."""
    attempts, bad = np.array([[counts.sum() for counts in _counts(level)] for level in levels]).T
    return attempts, bad


def _begin(levels: Sequence[Visit], share: float) -> float:
    """Between the two levels where the share crosses, were it only known that it never falls (isotonic regression).

    Levels far beyond the crossing would bend a curve that is fitted to all.
    """
    attempts, bad = _totals(levels)
    rising = isotonic_regression(bad / attempts, weights=attempts).x
    below = [level.at for level, one in zip(levels, rising, strict=True) if one <= share]
    above = [level.at for level, one in zip(levels, rising, strict=True) if one > share]
    ends = (below[-1:] or above[:1])[0], (above[:1] or below[-1:])[0]
    return float((ends[0] * ends[1]) ** 0.5)


def _near(levels: Sequence[Visit], at: float) -> list[Visit]:
    """Those around a load, and in any case the next below and the next above."""
    ends = around((one.at for one in levels), at)
    return [
        one
        for one in levels
        if one.at in ends or (at / NEARNESS <= one.at <= at * NEARNESS and _share(one) <= LARGEST_SHARE)
    ]


def _share(level: Visit) -> float:
    attempts, bad = _counts(level)
    return float(bad.sum() / attempts.sum())


def _profile(levels: Sequence[Visit], places: Floats, share: float) -> Floats:
    """The binomial log-likelihood of a crossing at each of `places`, with the slope that suits it best."""
    loads = np.array([level.at for level in levels], dtype=float)
    attempts, bad = _totals(levels)
    distances = np.log(loads) - np.log(places)[:, None]
    odds = logit(share) + _SLOPES[:, None] * distances[:, None, :]
    likelihood = (bad * odds - attempts * np.logaddexp(0, odds)).sum(axis=2)
    found: Floats = likelihood.max(axis=1)
    return found
