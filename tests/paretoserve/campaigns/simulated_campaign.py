"""Full campaigns on simulated queues: how often the ratio of two thresholds is known to a tenth.

`python -m tests.paretoserve.campaigns.simulated_campaign` prints the table of decision 24.
"""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import exp, log

import numpy as np

from loadtest.results.comparison import Run
from loadtest.results.levels import LevelResult
from loadtest.results.visits import Visit
from loadtest.statistics.ratios import Ratio, threshold_ratio
from loadtest.statistics.search import Search, first_levels, next_users
from loadtest.statistics.sequential import settled
from loadtest.statistics.threshold import throttling_threshold
from paretoserve.campaigns.plan import levels_around
from paretoserve.campaigns.settings import Load
from tests.loadtest.simulation import Queue, visit
from tests.loadtest.statistics.test_search import CAMPAIGN, pooled

GATE_S = 0.1
# The first and the last are the same candidate: the canary.
SERVICES_S = (0.012, 0.006, 0.0045, 0.003, 0.012)
# By how much starts of a server differ, and the probe from what the server does later; deviations of the logarithm.
STARTS, PROBES = 0.03, 0.15
RUN_S = 20.0
"""What a run takes beside its visits: its start, the probe, and the common rate."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one campaign; the ratios are of each candidate with the first one."""

    ratios: tuple[Ratio | None, ...]
    truths: tuple[float, ...]
    canary: Ratio | None
    seconds: float
    runs: int
    with_number: int


def one_search(
    queue: Queue, search: Search, load: Load, random: np.random.Generator
) -> tuple[list[LevelResult], float]:
    """The levels as a campaign visits them, and the seconds that this takes."""
    done: dict[int, LevelResult] = {}
    seconds = 0.0
    while (users := next_users(search, list(done.values()))) is not None:
        one = _ended(visit(queue, users, load.max_dwell_s - load.min_dwell_s, random, settle_s=load.settle_s), search)
        seconds += load.ramp_s + load.settle_s + len(one.slices)
        done[users] = pooled(done.get(users), one)
    return list(done.values()), seconds


def _ended(one: Visit, search: Search) -> Visit:
    for seconds in range(3, len(one.slices)):
        if settled(one.slices[:seconds], search.share) == "hopeless":
            return Visit(one.at, one.slices[:seconds])
    return one


def campaign(blocks: int, load: Load, seed: int) -> Outcome:
    random = np.random.default_rng(seed)
    runs: list[list[Run]] = [[] for _ in SERVICES_S]
    seconds = 0.0
    for block in range(blocks):
        for found, usual_s in zip(runs, SERVICES_S, strict=True):
            service_s = usual_s * exp(random.normal(0, STARTS))
            search = _search(found, service_s * exp(random.normal(0, PROBES)), load, block)
            levels, took_s = one_search(Queue(service_s, GATE_S, load.think_time_s), search, load, random)
            seconds += RUN_S + took_s
            found.append(Run(block, 0, "", threshold=throttling_threshold(levels)))
    ratios = tuple(threshold_ratio(one, runs[0]) for one in runs[1:-1])
    numbers = sum(run.threshold is not None and run.threshold.at is not None for one in runs for run in one)
    truths = tuple(_TRUTH[one] / _TRUTH[SERVICES_S[0]] for one in SERVICES_S[1:-1])
    return Outcome(ratios, truths, threshold_ratio(runs[-1], runs[0]), seconds, blocks * len(runs), numbers)


# Of levels of 3000 s, with users who think for 0.1 s: `tests.loadtest.simulation.true_crossing`.
_TRUTH = {0.012: 13.4, 0.006: 28.6, 0.0045: 39.0, 0.003: 60.1}


def _search(found: Sequence[Run], probed_service_s: float, load: Load, block: int) -> Search:
    start = levels_around(found) or first_levels(1 / probed_service_s, probed_service_s, GATE_S, load.think_time_s)
    return Search(
        start,
        share=CAMPAIGN.reject_threshold,
        precision=CAMPAIGN.precision,
        max_users=max(start),
        max_visits=load.later_visits if block else load.max_visits,
    )


def is_precise(ratio: Ratio | None, within: float = 0.1) -> bool:
    """Whether the interval is at most a tenth of the value to either side."""
    if ratio is None or None in ratio.interval:
        return False
    low, high = ratio.interval
    assert low is not None
    assert high is not None
    return log(high / low) <= 2 * log(1 + within)


def covers(ratio: Ratio | None, truth: float) -> bool:
    return ratio is not None and (ratio.interval[0] or 0) <= truth <= (ratio.interval[1] or 1e9)


def table(blocks: Sequence[int], load: Load, seeds: int) -> str:
    lines = [
        "| blocks | runs with a number | ratios within ±10 % | where A/A is within ±5 % | with the truth | minutes |"
    ]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for count in blocks:
        with ProcessPoolExecutor() as pool:
            every = list(pool.map(partial(campaign, count, load), range(seeds)))
        lines.append(_row(count, every))
    return "\n".join(lines)


def _row(blocks: int, every: Sequence[Outcome]) -> str:
    pairs = [(ratio, truth) for one in every for ratio, truth in zip(one.ratios, one.truths, strict=True)]
    calm = [ratio for one in every if one.canary and abs(log(one.canary.value)) <= log(1.05) for ratio in one.ratios]
    shares = (
        sum(one.with_number for one in every) / sum(one.runs for one in every),
        sum(is_precise(ratio) for ratio, _ in pairs) / len(pairs),
        sum(map(is_precise, calm)) / max(1, len(calm)),
        sum(covers(ratio, truth) for ratio, truth in pairs) / len(pairs),
    )
    minutes = sum(one.seconds for one in every) / len(every) / 60
    return " | ".join([f"| {blocks}", *(f"{100 * share:.0f} %" for share in shares), f"{minutes:.1f} |"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs="+", default=[3, 4])
    parser.add_argument("--seeds", type=int, default=20)
    told = parser.parse_args()
    print(table(told.blocks, Load(), told.seeds))  # noqa: T201  it is a command
