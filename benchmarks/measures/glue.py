"""Two tasks of GLUE as their write-ups use them: RTE, which a search makes small, and CoLA, served as TorchScript.

Both are fine-tuned from a pretrained encoder, and measured on dev once, at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.glue import GlueTask, read_task
from benchmarks.harness.places import RUNS
from benchmarks.harness.pretrained import SOURCE, pretrained_encoder
from benchmarks.harness.results import PACKAGES, Result, make_result
from benchmarks.harness.sentences import Sentences
from benchmarks.measures.variants import Contestant, facts_of, measure_variants
from model_store.manifest import read_manifest
from paretoserve.builds.build import BuildRequest, build
from paretoserve.finetuning.run import FinetuneRequest, finetune
from recipes.finetuning.record import Training
from recipes.finetuning.settings import FinetuneSettings

FOLDER = RUNS / "glue"

CHOOSING = 30
"""Per cent of RTE's train split that the search chooses by; the fine-tuning does not see them either."""

SEARCHED_ON = "openvino"


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a checkpoint is made: from `encoder`, or from the one of `benchmarks.harness.pretrained`.

    `rows` is how many of each split are used, all unless told.
    """

    encoder: Path | None = None
    epochs: float = 3.0
    seed: int = 0
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class RteSearch:
    """What `nas` is told, and in how many processes it may evaluate."""

    passes: float = 5.0
    recovery: float = 5.0
    evaluations: int = 100
    seeds: int = 3
    jobs: int = 1

    def recipe(self, pick: str) -> str:
        told = (self.passes, self.recovery, self.evaluations, self.seeds, CHOOSING)
        return ":".join(["nas", pick, *(f"{value:g}" for value in told)])


PICKS = ("largest", "error<=dense+1.0", "parameters<=60%")
"""The write-up's own choice, and two by a rule."""


def measure_rte(tuning: Tuning, search: RteSearch) -> Result:
    """Fine-tuned on 70 % of train; the search chooses by the other 30 %, so many times on one super-network.

    Raises:
        DataError: the data is not there.
        EnvironmentUnavailable: the encoder cannot be fetched.
    """
    task = read_task("rte").first(tuning.rows)
    checkpoint, training = _tuned(task.without(CHOOSING / 100, tuning.seed), "rte-70", tuning)
    request = BuildRequest(
        checkpoint=str(checkpoint),
        data=str(task.written("rte")),
        recipes=("dense", *map(search.recipe, PICKS)),
        store=FOLDER / "store",
        name="rte",
        backends=(SEARCHED_ON,),
        seed=tuning.seed,
        jobs=search.jobs,
    )
    variants = build(request)
    searches = [_search(folder) for folder in variants[1:]]
    summary = {
        "finetuned": _scores(training),
        "variants": {folder.name: _facts(folder) for folder in variants},
        "hypervolume": searches[0]["hypervolume"],
        "picks": {folder.name: one["pick"] for folder, one in zip(variants[1:], searches, strict=True)},
        "dense": searches[0]["dense"],
        "chance": searches[0]["origin"]["chance"],
    }
    settings = _settings(tuning, training) | {"search": msgspec.to_builtins(search), "backend": SEARCHED_ON}
    return _result("rte", settings | {"choosing_per_cent": CHOOSING}, searches, summary)


def measure_cola(tuning: Tuning, rounds: int, seconds: float) -> Result:
    """Fine-tuned on all of train; TorchScript beside PyTorch and what the write-ups serve, in turns.

    Raises:
        DataError: the data is not there.
        EnvironmentUnavailable: the encoder cannot be fetched.
    """
    task = read_task("cola").first(tuning.rows)
    checkpoint, training = _tuned(task, "cola", tuning)
    backends = ("torch", "torchscript")
    data, store = str(task.written("cola")), FOLDER / "store"
    build(BuildRequest(str(checkpoint), data, ("dense",), store, "cola", backends=backends, seed=tuning.seed))
    sentences = Sentences(tuple(row.text for row in task.evaluation.rows), "CoLA dev, in and out of domain")
    measured = measure_variants(store / "cola", backends, rounds, seconds, sentences=sentences)
    summary = {"finetuned": _scores(training), "variants": measured.summary}
    return _result("cola", _settings(tuning, training) | measured.settings, measured.rounds, summary)


def _tuned(task: GlueTask, name: str, tuning: Tuning) -> tuple[Path, Training]:
    """The checkpoint, and how it was trained; one that is there already is not trained again."""
    out = FOLDER / "checkpoints" / name
    out.parent.mkdir(parents=True, exist_ok=True)
    settings = FinetuneSettings(epochs=tuning.epochs, batch=32, learning_rate=5e-5, seed=tuning.seed)
    encoder = tuning.encoder or pretrained_encoder()
    return out, finetune(FinetuneRequest(str(task.written(name)), out, settings, str(encoder)))


def _settings(tuning: Tuning, training: Training) -> dict[str, Any]:
    return {
        "encoder": tuning.encoder.name if tuning.encoder else SOURCE,
        "epochs": tuning.epochs,
        "seed": tuning.seed,
        "max_tokens": training.settings.max_tokens,
        "rows": msgspec.to_builtins(training.rows),
        "only_the_first_rows": tuning.rows,
        "finetuning_s": training.seconds,
    }


def _scores(training: Training) -> dict[str, Any]:
    scores: dict[str, Any] = msgspec.to_builtins(training.scores)
    return scores


def _search(folder: Path) -> dict[str, Any]:
    """What a variant's search found, without the evaluations one by one."""
    left_out = ("hypervolume_after_each", "latency_table", "supernet_curve", "recovery_curve")
    found = msgspec.json.decode((folder / "report" / "nas" / "search.json").read_bytes(), type=dict[str, Any])
    return {"variant": folder.name, **{name: value for name, value in found.items() if name not in left_out}}


def _facts(folder: Path) -> dict[str, Any]:
    manifest = read_manifest(folder)
    sizes = {"macs_per_token": manifest.macs_per_token, "seconds": manifest.seconds}
    return facts_of(Contestant(folder, manifest, SEARCHED_ON)) | sizes


def _result(
    name: str, settings: Mapping[str, Any], rounds: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]
) -> Result:
    return make_result(name, settings, rounds, summary, (*PACKAGES, "openvino", "optuna", "torch"))
