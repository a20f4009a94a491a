"""A cost as a function of tokens, fitted to calls that were timed."""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from serving.wire.cost import Cost, cost_terms

Floats = NDArray[np.float64]


def fit_cost(samples: Sequence[tuple[int, int, float]]) -> Cost:
    """Least squares over (rows, width, seconds), relative errors weighted alike, no term negative.

    Of all sets of terms that fit without a negative one, the one with the least error is taken: a cost that falls with
    tokens is noise.
    """
    measured = np.array([cost_terms(rows, width) for rows, width, _ in samples])
    relative = measured / np.array([[seconds] for _, _, seconds in samples])
    kinds = [kept for count in range(1, 5) for kept in itertools.combinations(range(4), count)]
    fits = [fit for fit in (_fit(relative, kept) for kept in kinds) if (fit >= 0).all()]
    best = min(fits, key=lambda fit: float(np.square(relative @ fit - 1).sum()))
    return Cost(*map(float, best))


def _fit(relative: Floats, kept: tuple[int, ...]) -> Floats:
    """The factors of the kept terms, zero for the others."""
    factors = np.zeros(4)
    factors[[*kept]] = np.linalg.lstsq(relative[:, kept], np.ones(len(relative)), rcond=None)[0]
    return factors
