"""One threshold of several runs."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student_t

from loadtest.results.comparison import Run
from loadtest.results.threshold import Threshold

UNKNOWN = Threshold(None, (None, None), "unknown")


def threshold_over(runs: Sequence[Run]) -> Threshold:
    """The threshold in users, of all runs that have one.

    Runs differ more among themselves than the interval of one says, so with two or more the interval is Student's, of
    their logarithms.
    """
    found = [run.threshold for run in runs if run.threshold]
    if len(found) < 2 or any(one.at is None for one in found):
        return found[0] if found else UNKNOWN
    logs = np.log([one.at for one in found if one.at is not None])
    half = float(student_t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)))
    at = float(np.exp(logs.mean()))
    bracket = min(one.bracket[0] or 0 for one in found), max(one.bracket[1] or 0 for one in found)
    return Threshold(at, bracket, f"{at:.0f}", (at * float(np.exp(-half)), at * float(np.exp(half))))


def rate_threshold_over(runs: Sequence[Run]) -> Threshold:
    """The highest rate within the objective, of all runs that have one."""
    raise NotImplementedError
