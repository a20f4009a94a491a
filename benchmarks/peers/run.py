"""The benchmark against other servers: every contestant in every round, in shuffled order, on the same cores."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.environments import environment
from benchmarks.harness.model import BenchmarkModel, benchmark_model
from benchmarks.harness.places import RUNS
from benchmarks.harness.results import Result, make_result
from benchmarks.harness.sentences import Sentences, load_sentences
from benchmarks.peers.catalogue import PEERS
from benchmarks.peers.common.peer import MAX_BATCH, Peer
from benchmarks.peers.contestant import OPTIONS, OURS, Contestant, contestants
from benchmarks.peers.measure import Conditions, measure
from benchmarks.peers.own_code import own_code
from benchmarks.peers.process import PeerFailed
from benchmarks.peers.summary import summarize
from handlers.backends.base import Placement
from handlers.handler import load_handler
from model_store.errors import EnvironmentUnavailable, ParetoServeError
from model_store.manifest import read_manifest
from paretoserve.campaigns.compare import split_cores
from paretoserve.terminal.progress import Progress, progress

CHECKED = 400
"""Sentences asked of each server to warm it up, whose labels must be those of the engine."""


@dataclass(frozen=True, slots=True)
class PeersBenchmark:
    """What to measure, and for how long."""

    rounds: int = 3
    seconds: float = 10.0
    clients: int = 16
    only: tuple[str, ...] = ()
    seed: int = 0


def run_peers(benchmark: PeersBenchmark) -> Result:
    """Measure our server and its peers.

    Raises:
        ParetoServeError: an unknown peer, or our own server cannot be measured.
    """
    unknown = set(benchmark.only) - set(PEERS)
    if unknown:
        raise ParetoServeError(f"There is no peer {min(unknown)!r}; choose from {', '.join(PEERS)}.")
    model, sentences = benchmark_model(), load_sentences()
    variant = model.variant("dense")
    chosen = [peer for name, peer in PEERS.items() if not benchmark.only or name in benchmark.only]
    ready, skipped = _with_environments(chosen)
    conditions = _conditions(benchmark, sentences, variant)
    with pinned(conditions.client_cores):
        every = [*contestants(ready, variant), *own_code(variant)]
        rounds = _measure_all(benchmark, every, conditions, skipped)
    settings = _settings(benchmark, conditions, model, sentences, ready) | {"skipped": skipped}
    return make_result("peers", settings, rounds, summarize([one["figures"] for one in rounds]))


def _with_environments(peers: Sequence[Peer]) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be installed here, and why the others cannot."""
    ready, skipped = [], {}
    for peer in peers:
        try:
            environment(peer.name, peer.requirements, peer.python)
            ready.append(peer)
        except EnvironmentUnavailable as exc:
            skipped[peer.name] = str(exc)
    return ready, skipped


def _conditions(benchmark: PeersBenchmark, sentences: Sentences, variant: Path) -> Conditions:
    server_cores, client_cores = split_cores()
    checked = sentences.texts[:CHECKED]
    return Conditions(
        texts=sentences.texts,
        expected=engine_labels(variant, checked),
        server_cores=server_cores[:1],
        client_cores=client_cores,
        clients=benchmark.clients,
        seconds=benchmark.seconds,
    )


def engine_labels(variant: Path, texts: Sequence[str]) -> list[str]:
    """The label that the engine gives to each text, called directly, one by one."""
    handler = load_handler(variant, read_manifest(variant), "onnxruntime", Placement())
    try:
        logits = [handler.infer([[handler.tokenizer(text)]])[0] for text in texts]
    finally:
        handler.close()
    labels = handler.manifest.task_settings["labels"]
    return [labels[int(row.argmax())] for row in logits]


@contextmanager
def pinned(cores: Sequence[int]) -> Iterator[None]:
    """Keep this process, its progress bar included, off the server's cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _measure_all(
    benchmark: PeersBenchmark, every: Sequence[Contestant], conditions: Conditions, skipped: dict[str, str]
) -> list[dict[str, Any]]:
    """All rounds. A peer that fails once is named in `skipped` and left out from then on; our own may not fail."""
    rng = random.Random(benchmark.seed)  # noqa: S311  an order needs no secrets
    rounds, remaining = [], list(every)
    with progress("Peers") as report:
        for number in range(benchmark.rounds):
            order = rng.sample(remaining, len(remaining))
            at = _Place(report, number, benchmark.rounds, len(order))
            figures = _measure_round(order, conditions, skipped, at)
            remaining = [one for one in remaining if one.name in figures]
            rounds.append({"order": [one.name for one in order], "figures": figures})
    return rounds


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the benchmark we are, for the progress bar."""

    report: Progress
    round: int
    rounds: int
    contestants: int

    def report_start(self, contestant: str, index: int) -> None:
        done = (self.round + index / max(1, self.contestants)) / self.rounds
        self.report(f"{contestant} (round {self.round + 1} of {self.rounds})", done)


def _measure_round(
    order: Sequence[Contestant], conditions: Conditions, skipped: dict[str, str], place: _Place
) -> dict[str, Mapping[str, Any]]:
    figures: dict[str, Mapping[str, Any]] = {}
    for index, contestant in enumerate(order):
        place.report_start(contestant.name, index)
        log_file = RUNS / "logs" / f"{contestant.name.replace(', ', '-').replace(' ', '-')}.log"
        try:
            figures[contestant.name] = measure(contestant, conditions, log_file)
        except PeerFailed as exc:
            if contestant.server == OURS:
                raise ParetoServeError(f"There is nothing to compare with: {exc}") from exc
            skipped[contestant.name] = str(exc)
    return figures


def _settings(
    benchmark: PeersBenchmark,
    conditions: Conditions,
    model: BenchmarkModel,
    sentences: Sentences,
    peers: Sequence[Peer],
) -> dict[str, Any]:
    return {
        "model": model.source,
        "variant": "dense@onnxruntime",
        "sentences": sentences.source,
        "rounds": benchmark.rounds,
        "seconds": benchmark.seconds,
        "clients": benchmark.clients,
        "seed": benchmark.seed,
        "server_cores": list(conditions.server_cores),
        "client_cores": list(conditions.client_cores),
        "our_options": list(OPTIONS),
        "max_batch_of_peers": MAX_BATCH,
        "peers": {peer.name: f"{peer.package} {peer.version}" for peer in peers},
    }
