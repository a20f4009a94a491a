"""Which candidate runs when, where its search begins, and how long all of it takes. Nothing here runs anything."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from loadtest.results.comparison import Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.blocks import CANARY, order_of
from paretoserve.campaigns.serving import task_of
from paretoserve.campaigns.settings import Comparison, Levels, Load
from paretoserve.terminal.scene import duration
from recipes.data.rows import load_data

# What a server, and the processes of the load generator in a run, take until they do anything, most often.
SERVER_START_S, GENERATORS_START_S = 5.0, 3.0
# A row of the data over HTTP.
ROW_S = 0.01
# Around the threshold of earlier blocks: most often it lies between two of the first three. The others are for the
# rest, should it have been too low.
_NEARBY = (0.93, 1.0, 1.08, 1.2, 1.5, 3.0)
# Of the visits that a search may make: it ends when it knows enough.
_VISITED = 0.8


class Place(NamedTuple):
    """One run: a fresh server of one candidate."""

    block: int
    place: int
    """In the order of the block, from 0."""
    name: str
    """Of the candidate, or `CANARY`: the first candidate once more."""


def places_of(block: int, names: Sequence[str], seed: int, has_canary: bool) -> tuple[Place, ...]:
    """The runs of a block, in their order."""
    order = [name for name in order_of(block, names, seed) if has_canary or name != CANARY]
    return tuple(Place(block, place, name) for place, name in enumerate(order))


def levels_around(runs: Sequence[Run]) -> tuple[int, ...] | None:
    """Where the search of a later block begins: around the thresholds of earlier runs; None where there is none."""
    found = [at for run in runs if run.threshold and (at := _about(run.threshold)) is not None]
    if not found:
        return None
    middle = sum(found) / len(found)
    return tuple(sorted({max(1, round(middle * factor)) for factor in _NEARBY}))


def _about(threshold: Threshold) -> float | None:
    """Where no number was found, the middle of the levels that it lies between."""
    low, high = threshold.bracket
    return threshold.at or (math.sqrt(low * high) if low and high else None)


def run_seconds(load: Load, block: int, rows: int) -> float:
    """What a run takes, most often; the first one of a candidate also asks `rows` of the data."""
    visits = _visits(load.levels, load.exact_levels, load.max_visits if block == 0 else load.later_visits)
    first_s = rows * ROW_S if block == 0 else 0.0
    search_s = min(visits * load.visit_s, (load.max_search_s or math.inf) + load.visit_s)
    loaded_s = load.probe_s + search_s + load.rate_s * (1 if load.slo is None else 1 + load.later_visits)
    return SERVER_START_S + GENERATORS_START_S + first_s + loaded_s


def _visits(levels: Levels, exact: bool, most: int) -> float:
    return len(levels) if exact and levels != "auto" else most * _VISITED


def pilot_seconds(load: Load) -> float:
    return SERVER_START_S + load.probe_s


def planned_seconds(comparison: Comparison, rows: int) -> float:
    """What the whole comparison takes, should no block be saved and none of it be kept from before."""
    runs = len(comparison.candidates) + comparison.has_canary
    blocks_s = sum(run_seconds(comparison.load, block, rows) for block in range(comparison.planned_blocks))
    return runs * blocks_s + (pilot_seconds(comparison.load) if comparison.common_rate_per_s is None else 0.0)


def seconds_left(planned: Sequence[float], taken: Sequence[float]) -> float:
    """What the rest of the planned runs will take, by how far off the plan was for those that are over."""
    rest_s = sum(planned[len(taken) :])
    planned_s = sum(planned[: len(taken)])
    return rest_s * sum(taken) / planned_s if planned_s else rest_s


def planned(comparison: Comparison) -> str:
    """What a comparison would run, and for how long, for people. The data is read, and nothing is served.

    Raises:
        ParetoServeError: the data cannot be read.
    """
    target = task_of(comparison.candidates[0]).target
    rows = len(load_data(comparison.data, target, comparison.columns).evaluation.rows)
    names, load = [one.name for one in comparison.candidates], comparison.load
    lines = ["pilot: the common rate, by the first candidate"] if comparison.common_rate_per_s is None else []
    for block in range(comparison.planned_blocks):
        places = places_of(block, names, comparison.seed, comparison.has_canary)
        each_s = run_seconds(load, block, rows)
        runs = ", ".join(place.name for place in places)
        lines.append(f"{comparison.block_name(block)}: {runs} (about {duration(each_s)} each)")
    total = duration(planned_seconds(comparison, rows))
    return "\n".join([*lines, f"About {total} in all, less where the answer is clear before."])
