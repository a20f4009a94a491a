"""All variants of a model side by side: how fast each is on its engine, beside what it costs in accuracy.

The engines stay loaded, each in a process of its own, and take turns; a ratio is of two figures of the same round.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.results import Result, make_result, ratios, spread
from benchmarks.harness.sentences import Sentences, load_sentences
from benchmarks.harness.variant_engine import Opened, Task, variant_engine
from handlers.backends.catalogue import artifact_name
from model_store.errors import StoreError
from model_store.manifest import Manifest
from model_store.store import list_variants
from paretoserve.environments.catalogue import interpreter_for
from paretoserve.terminal.progress import progress
from serving.cpu_plan import usable_cores

DENSE = "dense"
BASELINE = f"{DENSE}@transformers"
"""What most write-ups serve: eager PyTorch, one text at a time, padded to `max_tokens`."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A variant on an engine."""

    folder: Path
    manifest: Manifest
    backend: str

    @property
    def name(self) -> str:
        return f"{self.manifest.variant}@{self.backend}"

    @property
    def dense(self) -> str:
        """What it is compared with on the same engine."""
        return f"{DENSE}@{self.backend}"


def measure_variants(
    model: Path,
    backends: Sequence[str],
    rounds: int,
    seconds: float,
    seed: int = 0,
    sentences: Sentences | None = None,
) -> Result:
    """All contestants in every round, in an order of its own; asked about the benchmarks' sentences unless told others.

    Raises:
        StoreError: the model has no `dense` variant to compare with.
    """
    contestants, sentences = contestants_of(model, backends), sentences or load_sentences()
    rng, cores = random.Random(seed), usable_cores()  # noqa: S311  no secret
    taken: list[dict[str, Any]] = []
    opened: dict[str, Opened] = {}
    with ExitStack() as stack, progress("Variants") as report:
        asked = {}
        for number, one in enumerate(contestants):
            report(f"loading {one.name}", number / (len(contestants) + rounds))
            task = Task(str(one.folder.absolute()), one.backend, sentences.texts, len(cores))
            running = stack.enter_context(variant_engine(interpreter_for(one.backend), task))
            opened[one.name], asked[one.name] = running
        for number in range(rounds):
            report(f"round {number + 1}", (len(contestants) + number) / (len(contestants) + rounds))
            order = rng.sample(list(asked), len(asked))
            taken += [{"round": number, "candidate": name, "texts_per_s": asked[name](seconds)} for name in order]
    settings = {
        "sentences": sentences.source,
        "seconds": seconds,
        "cores": len(cores),
        "candidates": {name: msgspec.to_builtins(one) for name, one in opened.items()},
    }
    return make_result("variants", settings, taken, summarized(contestants, taken))


def contestants_of(model: Path, backends: Sequence[str]) -> list[Contestant]:
    """What the model's folder has for these backends, and the baseline.

    Raises:
        StoreError: it has no `dense` variant for any of them.
    """
    found = [
        Contestant(folder, manifest, backend)
        for folder, manifest in list_variants(model.parent)
        for backend in dict.fromkeys((*backends, "transformers"))
        if folder.parent == model and artifact_name(backend, manifest.artifacts) in manifest.artifacts
        if backend in backends or f"{manifest.variant}@{backend}" == BASELINE
    ]
    if not any(one.manifest.variant == DENSE for one in found):
        named = ", ".join(backends)
        raise StoreError(f"{model.name!r} has no variant {DENSE!r} for any of {named}; build it to compare with.")
    return found


def summarized(contestants: Sequence[Contestant], taken: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of each contestant what its manifest says, its speed, and its ratios to `dense` and to the baseline."""

    def speeds(name: str) -> list[float]:
        mine = [row for row in taken if row["candidate"] == name]
        return [row["texts_per_s"] for row in sorted(mine, key=lambda row: row["round"])]

    found = {}
    for one in contestants:
        against = {"times_dense": speeds(one.dense), "times_baseline": speeds(BASELINE)}
        times = {name: spread(ratios(speeds(one.name), other)) for name, other in against.items() if other}
        found[one.name] = facts_of(one) | {"texts_per_s": spread(speeds(one.name))} | times
    return found


def facts_of(one: Contestant) -> dict[str, Any]:
    """What the manifest says of an artifact."""
    artifact = one.manifest.artifacts[artifact_name(one.backend, one.manifest.artifacts)]
    quality = artifact.quality
    return {
        "recipe": one.manifest.technique.recipe,
        "bytes": artifact.bytes,
        "parameters": one.manifest.parameters,
        "nonzero": one.manifest.nonzero,
        "quality": msgspec.to_builtins(quality) if quality else None,
        "lineage": msgspec.to_builtins(one.manifest.lineage),
    }
