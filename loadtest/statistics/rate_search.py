"""Which arrival rate comes next, on the way to the highest rate within an objective."""

from collections.abc import Sequence

from loadtest.plan.settings import Campaign
from loadtest.results.levels import LevelResult
from loadtest.results.visits import Slice, Visit
from loadtest.statistics.crossing import Crossing, around, crossing_of
from loadtest.statistics.gates import MOST_GENERATOR_CPU
from loadtest.statistics.search import ADJACENT, LEAST_VISITS, is_cliff, is_known

# Of the way from the highest good rate to the lowest bad one, on a logarithmic scale: how near to either the next is.
_NEAREST = 0.25

# Below, a level would take minutes for its requests.
_LEAST_PER_S = 0.1


def late_share(level: LevelResult) -> float:
    """Of all requests: those answered too late, or not served."""
    return (level.late + level.unserved) / level.attempts if level.attempts else 0.0


def next_rate(campaign: Campaign, start_per_s: float, levels: Sequence[LevelResult]) -> float | None:
    """Requests per second of the next visit; None when the crossing is known, or cannot be known better.

    The rate is doubled or halved until one level is good and one is bad, and then levels are put between the two until
    they are adjacent; these are visited again until the crossing of the objective's share is known to `precision`.
    """
    assert campaign.slo is not None, "this is a bug: a rate is searched within an objective"
    if sum(level.visits_made for level in levels) >= campaign.max_visits:
        return None
    bad = [level.at for level in levels if late_share(level) > campaign.slo.share]
    good = [level for level in levels if level.at < min(bad, default=level.at + 1)]
    if not bad:
        return _upwards(start_per_s, good)
    if not good:
        return _rounded(min(bad) / 2) if min(bad) / 2 >= _LEAST_PER_S else None
    crossing = crossing_of([_visit(level) for level in levels if level.attempts], campaign.slo.share)
    low, high = around((level.at for level in levels), crossing.at)
    if low is None or high is None:
        low, high = max(level.at for level in good), min(bad)
    if high / low > ADJACENT:
        return _between(crossing, low, high)
    ends = [level for level in levels if level.at in (low, high)]
    if all(level.visits_made >= LEAST_VISITS for level in ends):
        if is_known(crossing, campaign.precision):
            return None
        if is_cliff(crossing, low, high):
            return _between(crossing, low, high)
    return min(ends, key=lambda level: level.visits_made).at


def _visit(level: LevelResult) -> Visit:
    """A level without a whole second is taken as a single one."""
    return Visit(level.at, level.late_slices or (Slice(level.attempts, level.late + level.unserved),))


def _upwards(start_per_s: float, good: Sequence[LevelResult]) -> float | None:
    """Twice as many each time, as far as the generator can send them."""
    if not good:
        return _rounded(start_per_s)
    highest = max(good, key=lambda level: level.at)
    is_overtaxed = highest.not_sent > 0 or highest.generator_cpu_share > MOST_GENERATOR_CPU
    return None if is_overtaxed else _rounded(2 * highest.at)


def _between(crossing: Crossing, low: float, high: float) -> float:
    ratio = high / low
    return _rounded(min(max(crossing.at, low * ratio**_NEAREST), high / ratio**_NEAREST))


def _rounded(rate_per_s: float) -> float:
    """To three digits, which is closer than a rate can be told from another."""
    return float(f"{rate_per_s:.3g}")
