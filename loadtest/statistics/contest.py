"""Which candidates may be chosen, and which of them are clearly better than others by their thresholds.

Naming the best of k candidates gives chance k opportunities, and so does looking after each block whether it is clear
by now. That a candidate is wrongly named happens only if it beats one that is as good or better, so with one-sided
tests at a k-th of the probability allowed, it is no larger for all of them together (Bonferroni). The looks are
corrected for with the constant levels of Pocock (Biometrika 64, 1977).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log

from loadtest.results.comparison import CandidateReport, Report
from loadtest.statistics.accuracy import is_below_floor
from loadtest.statistics.bounds import middle_of, threshold_bounds
from loadtest.statistics.ratios import log_threshold_ratio
from loadtest.statistics.repeats import threshold_over
from loadtest.statistics.scatter import LogMean

# Two thresholds within this part of each other are the same for those who choose.
SAME = 0.05

# The probability that a winner is wrongly named, and by the number of looks, that of each.
_WRONG_OF_LOOKS = (0.05, 0.0294, 0.0221, 0.0182, 0.0158, 0.0142, 0.0130, 0.0120, 0.0112, 0.0106)


@dataclass(frozen=True, slots=True)
class Contest:
    """The candidates of a report by what they are to its verdict."""

    ranked: tuple[CandidateReport, ...]
    """With enough quality and a threshold that is a number or lies below one, the best first."""
    excluded: tuple[CandidateReport, ...]
    """With too little quality."""
    unmeasured: tuple[CandidateReport, ...]
    """Of whose threshold that cannot be said."""
    may_hold_more: tuple[CandidateReport, ...]
    """Those of the unmeasured that may be better than the best: it was never seen what they do not hold."""
    wrong: float
    """The two-sided probability of error that a single ratio is allowed."""

    @property
    def leaders(self) -> tuple[CandidateReport, ...]:
        """Those that the best is not clearly better than, itself first."""
        return tuple(one for one in self.ranked if one is self.ranked[0] or not self.beats(self.ranked[0], one))

    def beats(self, ours: CandidateReport, theirs: CandidateReport) -> bool:
        """Whether ours is clearly better. Where the two have no block with numbers, their bounds say so, or nothing."""
        ratio = log_threshold_ratio(ours.runs, theirs.runs)
        if ratio is not None:
            return ratio.log > ratio.half(self.wrong)
        least = threshold_bounds(ours.runs, theirs.runs, self.wrong).least
        return least is not None and least > 1


def contest_of(report: Report) -> Contest:
    """Of all candidates, also those that were dropped."""
    first = report.candidates[0]
    excluded = [one for one in report.candidates if is_below_floor(one.quality, first.quality, report.max_drop)]
    left = [one for one in report.candidates if one not in excluded]
    middles = {one.name: middle_of(threshold_over(one.runs)) for one in left}
    ranked = sorted((one for one in left if middles[one.name]), key=lambda one: -(middles[one.name] or 0.0))
    unmeasured = [one for one in left if one not in ranked]
    best = middles[ranked[0].name] if ranked else None
    wrong = _WRONG_OF_LOOKS[min(max(report.blocks - 1, 1), len(_WRONG_OF_LOOKS)) - 1]
    return Contest(
        tuple(ranked),
        tuple(excluded),
        tuple(unmeasured),
        tuple(one for one in unmeasured if _may_hold_more(one, best)),
        wrong * 2 / max(2, len(ranked)),
    )


def _may_hold_more(candidate: CandidateReport, best: float | None) -> bool:
    threshold = threshold_over(candidate.runs)
    low, high = threshold.bracket
    return low is not None and (high is None or best is None or high > best)


def is_same(ratio: LogMean) -> bool:
    """Whether two thresholds are known to lie as close as matters."""
    return abs(ratio.log) + ratio.half() <= log(1 + SAME)


def pairs_of_interest(contest: Contest, first: CandidateReport) -> list[tuple[CandidateReport, CandidateReport]]:
    """The first candidate with each other one, and the best with the next best."""
    pairs = [(one, first) for one in contest.ranked if one is not first and first in contest.ranked]
    top = list(pairwise(contest.ranked[:2]))
    return pairs + [pair for pair in top if first not in pair]


def further_blocks(contest: Contest, pairs: Sequence[tuple[CandidateReport, CandidateReport]]) -> int | None:
    """About how many more would tell each pair apart, or show that it is the same; None where more than `_MOST`, or
    where that cannot be said, as one of them has no number."""
    needed = [_needed(contest, *pair) for pair in pairs]
    known = [one for one in needed if one is not None]
    return max(known, default=0) if len(known) == len(needed) else None


_MOST = 30


def _needed(contest: Contest, ours: CandidateReport, theirs: CandidateReport) -> int | None:
    ratio = log_threshold_ratio(ours.runs, theirs.runs)
    if ratio is not None:
        return _further(contest, ratio)
    return 0 if contest.beats(ours, theirs) or contest.beats(theirs, ours) else None


def _further(contest: Contest, ratio: LogMean) -> int | None:
    for more in range(_MOST + 1):
        later = LogMean(ratio.log, ratio.variance, ratio.freedom + more, ratio.runs + more)
        if abs(later.log) > later.half(contest.wrong) or is_same(later):
            return more
    return None
