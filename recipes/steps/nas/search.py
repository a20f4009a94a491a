"""The search for sub-networks with few errors, few parameters and little latency, with Optuna.

NSGA-II (Deb et al. 2002) and, as what it is compared with, drawing at random; both begin with the same sub-networks,
the smallest and those of which all layers keep the same share. The studies lie in a journal (Optuna's, a file) and go
on where they were: the n-th sub-network of a study depends on the seed and on those before its generation, and on
nothing else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import msgspec
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from networks.encoder.counts import encoder_parameters
from networks.encoder.prefix import SubNetwork, shape_of
from recipes.steps.nas.evaluating import Errors
from recipes.steps.nas.latency import LatencyTable
from recipes.steps.nas.space import Genes, Space
from recipes.work.folder import fingerprint, write_whole
from recipes.work.progress import Progress, part_of

POPULATION = 20

# Both samplers begin with these shares of all layers, and with the smallest sub-network.
LADDER = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)

Sampler = Literal["nsga2", "random"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)


class Point(msgspec.Struct, frozen=True):
    """A sub-network that was evaluated: which one, and what was found."""

    sampler: Sampler
    seed: int
    number: int
    heads: tuple[int, ...]
    units: tuple[int, ...]
    layers: tuple[int, ...]
    error: float
    parameters: int
    latency_s: float


@dataclass(frozen=True, slots=True)
class Search:
    """Where studies are kept, what is searched, and what tells how good a sub-network is."""

    journal: Path
    space: Space
    errors: Errors
    table: LatencyTable

    def run(self, seeds: Sequence[int], count: int, report: Progress) -> list[Point]:
        """The first `count` sub-networks of each sampler and seed; those that are known are not evaluated again."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        _drop_half_a_line(self.journal)
        studies = [(sampler, seed) for seed in seeds for sampler in SAMPLERS]
        found: list[Point] = []
        for i, (sampler, seed) in enumerate(studies):
            found += _Study(self, sampler, seed).run(count, part_of(report, i, len(studies)))
        return found

    def distributions(self) -> dict[str, BaseDistribution]:
        space = self.space
        found: dict[str, BaseDistribution] = {"layers": IntDistribution(space.fewest_layers, space.whole.layers)}
        for layer, heads in enumerate(space.whole.heads):
            found[f"heads.{layer}"] = IntDistribution(1, heads)
            found[f"units.{layer}"] = IntDistribution(1, space.steps(layer))
        return found


class _Study:
    """The sub-networks that one sampler proposes from one seed."""

    def __init__(self, search: Search, sampler: Sampler, seed: int) -> None:
        self._search, self._sampler, self._seed = search, sampler, seed
        self._study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(search.journal))),
            study_name=f"{sampler}.{seed}",
            directions=["minimize"] * 3,
            load_if_exists=True,
        )

    def run(self, count: int, report: Progress) -> list[Point]:
        while (known := len(self._trials(TrialState.COMPLETE))) < count:
            self._ask(min(known - known % POPULATION + POPULATION, count))
            waiting = self._trials(TrialState.RUNNING)
            for done, (trial, values) in enumerate(zip(waiting, self._evaluated(waiting), strict=True), 1):
                self._study.tell(trial.number, values)
                report("searching", (known + done) / count)
        return [self._point(i, trial) for i, trial in enumerate(self._trials(TrialState.COMPLETE)[:count])]

    def _trials(self, state: TrialState) -> list[optuna.trial.FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=(state,))

    def _ask(self, until: int) -> None:
        """Have the sub-networks of a generation proposed, up to the number `until`, of which some may be already."""
        distributions, ladder = self._search.distributions(), self._ladder()
        begun = self._trials(TrialState.RUNNING)
        for trial in begun:
            if len(trial.params) < len(distributions):  # killed while it was proposed
                self._study.tell(trial.number, state=TrialState.FAIL)
        known = len(self._trials(TrialState.COMPLETE)) + len(self._trials(TrialState.RUNNING))
        for number in range(known, until):
            self._study.sampler = _sampler(self._sampler, int(fingerprint(self._seed, number)[:8], 16))
            if number < len(ladder):
                self._study.enqueue_trial(ladder[number], skip_if_exists=True)
            self._study.ask(distributions)

    def _ladder(self) -> list[dict[str, int]]:
        """What both samplers begin with."""
        space = self._search.space
        genes = [*(space.scaled(share) for share in LADDER), space.scaled(0.0, space.fewest_layers)]
        pairs = [("heads", "heads"), ("units", "steps")]
        return [
            {"layers": one.layers}
            | {f"{name}.{i}": value for name, field in pairs for i, value in enumerate(getattr(one, field))}
            for one in genes
        ]

    def _evaluated(self, trials: Sequence[optuna.trial.FrozenTrial]) -> Iterator[tuple[float, float, float]]:
        """Error, parameters and latency of each."""
        kept = [self._subnetwork(trial) for trial in trials]
        for one, error in zip(kept, self._search.errors(kept), strict=True):
            shape = shape_of(self._search.space.whole, one)
            yield error, float(encoder_parameters(shape)), self._search.table.seconds(shape)

    def _subnetwork(self, trial: optuna.trial.FrozenTrial) -> SubNetwork:
        layers = range(self._search.space.whole.layers)
        heads, steps = (tuple(trial.params[f"{kind}.{i}"] for i in layers) for kind in ("heads", "units"))
        return self._search.space.subnetwork(Genes(trial.params["layers"], heads, steps))

    def _point(self, number: int, trial: optuna.trial.FrozenTrial) -> Point:
        kept = self._subnetwork(trial)
        error, parameters, latency_s = trial.values
        return Point(
            sampler=self._sampler,
            seed=self._seed,
            number=number,
            heads=tuple(one.heads for one in kept),
            units=tuple(one.units for one in kept),
            layers=tuple(one.layer for one in kept),
            error=error,
            parameters=int(parameters),
            latency_s=latency_s,
        )


def _drop_half_a_line(journal: Path) -> None:
    """Of a journal that was being written when the disk was full; Optuna would go on in that line."""
    if journal.is_file():
        content = journal.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            write_whole(journal, whole)


def _sampler(name: Sampler, seed: int) -> BaseSampler:
    return NSGAIISampler(population_size=POPULATION, seed=seed) if name == "nsga2" else RandomSampler(seed)
