"""The order within a block, and when no further block is needed."""

from collections.abc import Sequence

import numpy as np

from loadtest.results.comparison import CandidateReport, Report
from loadtest.statistics.accuracy import is_clearly_less
from loadtest.statistics.contest import Contest, contest_of, further_blocks, pairs_of_interest
from loadtest.statistics.ratios import log_threshold_ratio

# In the order of a block, where the first candidate is measured once more.
CANARY = "canary"

# Before they differ among themselves, nothing is known of how blocks scatter.
LEAST_BLOCKS = 2

# A loser holds clearly less than this part of what the best holds.
LOST = 0.8


def order_of(block: int, names: Sequence[str], seed: int) -> tuple[str, ...]:
    """The candidates and `CANARY` in the order in which this block measures them; the same for the same seed."""
    everything = (*names, CANARY)
    return tuple(everything[place] for place in np.random.default_rng((seed, block)).permutation(len(everything)))


def is_decided(report: Report) -> bool:
    """Whether no further block is needed: the threshold ratio of each pair of interest excludes 1 or lies within 5 %.

    Pairs of interest are the first candidate with each other one, and the best with the next best, of those that have
    a threshold and enough quality. The intervals that are to exclude 1 are those of `loadtest.statistics.contest`.
    """
    if max(len(one.runs) for one in report.candidates) < min(LEAST_BLOCKS, report.blocks):
        return False
    contest = contest_of(report)
    return further_blocks(contest, pairs_of_interest(contest, report.candidates[0])) == 0


def losers(report: Report) -> dict[str, str]:
    """Candidates to leave out of later blocks, each with why, in a sentence. The first candidate is never one.

    A candidate that is slower and clearly better in quality than the best is none.
    """
    contest, first = contest_of(report), report.candidates[0]
    lost = {one.name: "it loses more quality than is allowed." for one in contest.excluded}
    for one in contest.ranked[1:]:
        if one is not first and (most := _most_of_the_best(contest, one)) < LOST and not _is_better(one, contest):
            lost[one.name] = f"it holds at most {most:.2f} times as many users as {contest.ranked[0].name}."
    return {name: why for name, why in lost.items() if name != first.name}


def _most_of_the_best(contest: Contest, one: CandidateReport) -> float:
    ratio = log_threshold_ratio(one.runs, contest.ranked[0].runs)
    return ratio.interval(contest.wrong)[1] if ratio and ratio.runs >= LEAST_BLOCKS else 1.0


def _is_better(one: CandidateReport, contest: Contest) -> bool:
    best = contest.ranked[0].quality
    return bool(one.quality and best and is_clearly_less(best, one.quality))
