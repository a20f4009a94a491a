"""The mean of a few runs on a logarithmic scale, and how sure it is.

With two or three runs their own scatter says little: Student's interval of two is twelve deviations wide. What is known
beforehand is how sure each run is of itself, and how much freshly started servers usually differ; by both each run is
weighted. The variance is the mean of that and the runs' own, weighted by degrees of freedom, and the interval Student's
with the sum of these (the moderated t of Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004,
doi:10.2202/1544-6115.1027). With many runs it is their own scatter that counts; with a single one, only what is usual.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, sqrt

import numpy as np
from scipy.stats import t as student_t

# The deviation of the logarithm of a figure from one start of a server to the next, and how many degrees of freedom
# it is worth.
START_SCATTER, START_WEIGHT = 0.03, 4.0


@cache
def quantile(share: float, freedom: float) -> float:
    """Of Student's t."""
    return float(student_t.ppf(share, freedom))


@dataclass(frozen=True, slots=True)
class LogMean:
    """Of `runs` logarithms, whose variance has so many degrees of freedom."""

    log: float
    variance: float
    """Of a single run."""
    freedom: float
    runs: int

    @property
    def value(self) -> float:
        return exp(self.log)

    @property
    def error(self) -> float:
        return sqrt(self.variance / self.runs)

    def half(self, wrong: float = 0.05) -> float:
        """Half of the interval that is wrong with this probability, as a logarithm."""
        return quantile(1 - wrong / 2, self.freedom) * self.error

    def interval(self, wrong: float = 0.05) -> tuple[float, float]:
        return exp(self.log - self.half(wrong)), exp(self.log + self.half(wrong))

    def p_above(self) -> float:
        """Of the mean not being above 0, that is, of the value not being above 1; one-sided."""
        return float(student_t.sf(self.log / self.error, self.freedom))


def mean_of(logs: Sequence[float], variances: Sequence[float], starts: int = 1) -> LogMean:
    """Of at least one logarithm. `variances` are within runs, of each; `starts` of a server differ in each of them.

    Each counts by how sure it is with both, so that one run that found little does not spoil the others. Their own
    scatter is in units of what is usual of each (the Q of Cochran, Biometrics 10, 1954).
    """
    found = np.asarray(logs, dtype=float)
    weights = 1 / (np.asarray(variances, dtype=float) + starts * START_SCATTER**2)
    mean = float(np.average(found, weights=weights))
    scatter = float(weights @ (found - mean) ** 2)
    usual, freedom = len(found) / float(weights.sum()), START_WEIGHT + len(found) - 1
    return LogMean(mean, usual * (START_WEIGHT + scatter) / freedom, freedom, len(found))
