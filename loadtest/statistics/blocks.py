"""The order within a block, and when no further block is needed."""

from collections.abc import Sequence

from loadtest.results.comparison import Report

# In the order of a block, where the first candidate is measured once more.
CANARY = "canary"


def order_of(block: int, names: Sequence[str], seed: int) -> tuple[str, ...]:
    """The candidates and `CANARY` in the order in which this block measures them; the same for the same seed."""
    raise NotImplementedError


def is_decided(report: Report) -> bool:
    """Whether no further block is needed: the threshold ratio of each pair of interest excludes 1 or lies within 5 %.

    Pairs of interest are the first candidate with each other one, and the best with the next best.
    """
    raise NotImplementedError


def losers(report: Report) -> dict[str, str]:
    """Candidates to leave out of later blocks, each with why, in a sentence. The first candidate is never one."""
    raise NotImplementedError
