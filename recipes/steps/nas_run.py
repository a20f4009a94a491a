"""A checkpoint's super-network trained and searched, the pick cut out of it, recovered, and reported on."""

from dataclasses import dataclass, replace
from pathlib import Path

from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.counts import encoder_parameters
from networks.encoder.prefix import LayerPrefix, kept_layers
from networks.encoder.slicing import sliced
from recipes.steps.base import StepInput
from recipes.steps.nas.evaluating import Judge, judged
from recipes.steps.nas.latency import LatencyTable, measured_table
from recipes.steps.nas.picks import Dense, picked
from recipes.steps.nas.report import Findings, write_report
from recipes.steps.nas.search import Point, Search
from recipes.steps.nas_supernet import Sandwich, Supernet, choosing_rows, trained_supernet
from recipes.steps.recovery import Recovery, recover
from recipes.work.folder import fingerprint
from recipes.work.progress import stretch

RECOVERY_RATE = 5e-5


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, as `recipes.steps.nas_step.Nas` says."""

    pick: str
    passes: float
    recovery: float
    evaluations: int
    seeds: int


def search_and_cut(given: StepInput, order: Order) -> Path:
    """The folder of the sub-network that the rule takes, with a report in it."""
    supernet = trained_supernet(_share(given, 0.0, 0.5), Sandwich(order.passes))
    folder = supernet.folder / fingerprint(given.target)
    folder.mkdir(exist_ok=True)
    table = _table(_share(given, 0.5, 0.55), supernet, folder)
    points = _searched(_share(given, 0.55, 0.7), order, supernet, table, folder)
    whole = supernet.space.whole
    dense = Dense(supernet.origin.error, encoder_parameters(whole), table.seconds(whole))
    pick = picked(order.pick, points, dense)
    encoder = sliced(load_checkpoint(supernet.checkpoint), kept_layers(subnetwork_of(pick)))
    recovered = recover(encoder, _share(given, 0.7, 1.0), Recovery(order.recovery, RECOVERY_RATE))
    done = given.work / "picked"
    save_checkpoint(encoder, done)
    findings = Findings(order.pick, dense, supernet.origin, supernet.curve, table, points, pick, recovered)
    write_report(findings, done / "report")
    return done


def subnetwork_of(point: Point) -> tuple[LayerPrefix, ...]:
    return tuple(map(LayerPrefix, point.layers, point.heads, point.units))


def _table(given: StepInput, supernet: Supernet, folder: Path) -> LatencyTable:
    """The latencies of the engine, which all recipes for it share."""
    return measured_table(supernet.space.whole, given.latency_s, folder / "latencies.json", given.report)


def _searched(given: StepInput, order: Order, supernet: Supernet, table: LatencyTable, folder: Path) -> list[Point]:
    """What was found; the studies are shared by all recipes for the same engine, however many evaluations they ask."""
    seeds = range(given.seed, given.seed + order.seeds)
    with judged(Judge(supernet.checkpoint, choosing_rows(given)), given.jobs) as errors:
        search = Search(folder / "studies.journal", supernet.space, errors, table)
        return search.run(seeds, order.evaluations, given.report)


def _share(given: StepInput, begin: float, end: float) -> StepInput:
    """The input of a part of the step, from one fraction of its progress to another."""
    return replace(given, report=stretch(given.report, begin, end))
