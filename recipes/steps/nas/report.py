"""What a search leaves in its variant: every sub-network that was evaluated, the front as a chart, and all settings."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from recipes.steps.nas.chart import front_chart
from recipes.steps.nas.hypervolume import front, hypervolumes
from recipes.steps.nas.importance import Origin
from recipes.steps.nas.latency import LatencyTable
from recipes.steps.nas.picks import Dense
from recipes.steps.nas.search import LADDER, POPULATION, SAMPLERS, Point
from recipes.training.state import CurvePoint
from recipes.work.folder import write_whole

EVALUATIONS_FILE, CHART_FILE, SEARCH_FILE = "evaluations.csv", "front.svg", "search.json"

_COLUMNS = (
    *("sampler", "seed", "number", "layers", "heads", "units", "error", "parameters", "parameters_share"),
    *("latency_ms", "on_front", "picked"),
)


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found: `training` and `recovered` are the curves of the super-network and of the pick."""

    rule: str
    dense: Dense
    origin: Origin
    training: Sequence[CurvePoint]
    table: LatencyTable
    points: Sequence[Point]
    pick: Point
    recovered: Sequence[CurvePoint]


def write_report(found: Findings, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write_whole(folder / EVALUATIONS_FILE, _csv(found).encode())
    chart = front_chart(found.points, found.pick, found.dense, found.rule, found.origin.chance)
    write_whole(folder / CHART_FILE, chart.encode())
    write_whole(folder / SEARCH_FILE, msgspec.json.format(msgspec.json.encode(search_record(found)), indent=2) + b"\n")


def search_record(found: Findings) -> dict[str, Any]:
    """What `search.json` says. Hypervolumes are of error and of parameters as a share of dense's, up to the error of
    one who always gives the most frequent label and to all parameters: after each evaluation, by sampler and seed."""
    seeds = sorted({point.seed for point in found.points})
    volumes = {f"{sampler}.{seed}": _volumes(found, sampler, seed) for sampler in SAMPLERS for seed in seeds}
    return {
        "rule": found.rule,
        "pick": found.pick,
        "dense": found.dense,
        "origin": found.origin,
        "settings": {"population": POPULATION, "begins_with": LADDER, "seeds": seeds},
        "evaluations": {name: len(values) for name, values in volumes.items()},
        "hypervolume": {name: values[-1] for name, values in volumes.items()},
        "hypervolume_after_each": volumes,
        "latency_table": found.table,
        "supernet_curve": found.training,
        "recovery_curve": found.recovered,
    }


def _volumes(found: Findings, sampler: str, seed: int) -> list[float]:
    points = [one for one in found.points if (one.sampler, one.seed) == (sampler, seed)]
    shares = [(one.error, one.parameters / found.dense.parameters) for one in points]
    return [round(volume, 6) for volume in hypervolumes(shares, (found.origin.chance, 1.0))]


def _csv(found: Findings) -> str:
    best = set(front([(one.error, float(one.parameters)) for one in found.points]))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for one in found.points:
        sizes = [" ".join(map(str, some)) for some in (one.layers, one.heads, one.units)]
        share, milliseconds = one.parameters / found.dense.parameters, 1000 * one.latency_s
        marks = [int((one.error, one.parameters) in best), int(one == found.pick)]
        figures = [f"{one.error:.5f}", one.parameters, f"{share:.4f}", f"{milliseconds:.4f}"]
        table.writerow([one.sampler, one.seed, one.number, *sizes, *figures, *marks])
    return text.getvalue()
