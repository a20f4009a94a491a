"""Campaigns of candidates whose thresholds are known, with the scatter of starts and of runs."""

from collections.abc import Sequence
from math import exp

import numpy as np

from loadtest.results.comparison import CandidateReport, Quality, Report, Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.blocks import is_decided, losers

# Deviations of the logarithm of a threshold: of freshly started servers, and of what a run says of its own.
BETWEEN, WITHIN = 0.03, 0.02


def run_of(at: float, block: int = 0, within: float = WITHIN) -> Run:
    """A run whose threshold is just this."""
    half = exp(1.96 * within)
    return Run(block, 0, "", threshold=Threshold(at, (at * 0.97, at * 1.03), f"{at:.0f}", (at / half, at * half)))


def runs_of(*thresholds: float, within: float = WITHIN) -> tuple[Run, ...]:
    """One in each block."""
    return tuple(run_of(at, block, within) for block, at in enumerate(thresholds))


def candidate_of(name: str, runs: Sequence[Run], quality: Quality | None = None, dropped: str = "") -> CandidateReport:
    return CandidateReport(name, name, "x", tuple(runs), quality, dropped=dropped)


def report_of(*candidates: CandidateReport, blocks: int = 3) -> Report:
    return Report(candidates, think_time_s=0.1, blocks=blocks)


def campaign(truth: Sequence[float], blocks: int, seed: int, between: float = BETWEEN) -> Report:
    """What a comparison of candidates with these thresholds finds; it stops and drops losers as such a one does."""
    random = np.random.default_rng(seed)
    runs: dict[str, list[Run]] = {f"c{place}": [] for place in range(len(truth))}
    dropped: dict[str, str] = {}
    for block in range(blocks):
        for (name, found), at in zip(runs.items(), truth, strict=True):
            if name not in dropped:
                found.append(run_of(at * exp(random.normal(0, between) + random.normal(0, WITHIN)), block))
        candidates = [candidate_of(name, found, dropped=dropped.get(name, "")) for name, found in runs.items()]
        report = report_of(*candidates, blocks=blocks)
        dropped |= losers(report)
        if is_decided(report):
            break
    return report
