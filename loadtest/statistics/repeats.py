"""One threshold of several runs."""

from collections.abc import Callable, Sequence
from math import log

from scipy.stats import norm

from loadtest.results.comparison import Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.scatter import mean_of

UNKNOWN = Threshold(None, (None, None), "unknown")

_Z = float(norm.ppf(0.975))


def threshold_over(runs: Sequence[Run]) -> Threshold:
    """The threshold in users, of all runs that have one.

    It is the geometric mean, weighted by how sure each run is, with the interval of `loadtest.statistics.scatter`: that
    of one run says how sure that run is, this one where another start of the server would be, so it is wider for a
    single run too. Runs that only bound it are left out, unless they are the more; then it is a bracket that has all of
    theirs.
    """
    return _over([run.threshold for run in runs if run.threshold], lambda at: f"{at:.0f}")


def rate_threshold_over(runs: Sequence[Run]) -> Threshold:
    """The highest rate within the objective, of all runs that have one; as `threshold_over`."""
    return _over([run.rate_threshold for run in runs if run.rate_threshold], lambda at: f"{at:.3g}")


def log_variance(threshold: Threshold | None) -> float | None:
    """Of the logarithm of a run's threshold, from its interval; None where it is no number or nothing bounds it."""
    if threshold is None or threshold.at is None:
        return None
    halves = [abs(log(end / threshold.at)) for end in threshold.interval if end is not None]
    return (sum(halves) / len(halves) / _Z) ** 2 if halves else None


def _over(found: Sequence[Threshold], text: Callable[[float], str]) -> Threshold:
    if not found:
        return UNKNOWN
    numbers = [(one, one.at, spread) for one in found if one.at and (spread := log_variance(one)) is not None]
    if 2 * len(numbers) < len(found):
        return _bounded(found)
    mean = mean_of([log(at) for _, at, _ in numbers], [spread for _, _, spread in numbers])
    bracket = _hull([one.bracket for one, _, _ in numbers])
    return Threshold(mean.value, bracket, text(mean.value), mean.interval())


def _bounded(found: Sequence[Threshold]) -> Threshold:
    if len(found) == 1:
        return found[0]
    low, high = _hull([one.bracket for one in found])
    if low is None or high is None:
        text = "unknown" if low == high else f"< {high:g}" if low is None else f"> {low:g}"
    else:
        text = f"{low:g}\N{EN DASH}{high:g}"
    return Threshold(None, (low, high), text, _hull([one.interval for one in found]))


def _hull(ends: Sequence[tuple[float | None, float | None]]) -> tuple[float | None, float | None]:
    """The lowest and the highest; None where one of them is not bounded."""
    lows, highs = [low for low, _ in ends if low is not None], [high for _, high in ends if high is not None]
    return (
        min(lows) if len(lows) == len(ends) else None,
        max(highs) if len(highs) == len(ends) else None,
    )
