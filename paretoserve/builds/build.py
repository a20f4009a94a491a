"""Build variants: a recipe writes artifacts, the engine that will serve them measures them, a manifest says it all."""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import msgspec

from handlers.tasks.catalogue import open_task, settings_of
from model_store.errors import ParetoServeError, RecipeError
from model_store.manifest import Manifest, write_manifest
from model_store.predictions import write_predictions
from model_store.rows import Data
from model_store.store import staging
from networks.config import read_shape
from networks.encoder.counts import macs_per_token
from paretoserve.builds.against_dense import compare_with_dense, predictions_of
from paretoserve.builds.artifacts import artifacts_of, golden_inputs
from paretoserve.builds.latency import latency_on
from paretoserve.builds.score import limit_of
from paretoserve.builds.task import checkpoint_task, task_name
from paretoserve.environments.catalogue import interpreter_for
from paretoserve.terminal.progress import Progress, progress
from recipes.data.checkpoint import fetch_checkpoint
from recipes.data.rows import Columns, load_data
from recipes.work.disk import written_in

if TYPE_CHECKING:  # recipes bring torch and the quantizers along, which only building needs
    from recipes.grammar import Recipe
    from recipes.run import Built, RecipeInput

WORK_FOLDER = ".work"
"""Of a store: what steps keep so that they survive a kill, a folder per model."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Build `recipes` from a checkpoint (a folder or a Hub id) and data (a file, a folder or a Hub id).

    `backends` are those to write artifacts for; unless some are named, each recipe writes those of the default ones
    that it can. Without a `task` it is that of the checkpoint, where this is a variant, or text classification.
    `seed` is for all that is drawn in training; a search evaluates in `jobs` processes at once. Without a train split,
    quantization is refused unless `calibrate_on_evaluation` is set. `max_drop` is how many points of the task's metric
    `int8` may lose.
    """

    checkpoint: str
    data: str
    recipes: tuple[str, ...]
    store: Path
    name: str | None = None
    columns: Columns = Columns()
    max_tokens: int = 128
    backends: tuple[str, ...] | None = None
    task: str | None = None
    seed: int = 0
    jobs: int = 1
    calibrate_on_evaluation: bool = False
    max_drop: float | None = None


@dataclass(frozen=True, slots=True)
class Sources:
    """What all variants of a model are built from."""

    request: BuildRequest
    checkpoint: Path
    data: Data
    model: str

    @property
    def work(self) -> Path:
        """Where steps keep what survives a kill."""
        return self.request.store / WORK_FOLDER / self.model


def build(request: BuildRequest) -> list[Path]:
    """Build every recipe of a request; the folders of the variants, in the order asked.

    Raises:
        RecipeError: a recipe cannot be read, or asks for more than the checkpoint has, before anything else is done; or
            one of its steps cannot be done, or its `int8` loses more than `max_drop`.
        DataError: the data cannot be read, or lacks rows that a recipe needs.
        ParetoServeError: a recipe has nothing for a backend, an engine is missing or fails, or the checkpoint cannot
            be read.
    """
    from recipes.run import check_rows
    from recipes.steps.chain import check_steps

    recipes = [recipe_of(text) for text in request.recipes]
    for recipe in recipes:
        backends_of(recipe, request.backends)
    if request.max_drop is not None and all(recipe.precision != "int8" for recipe in recipes):
        raise RecipeError("--max-drop is what int8 may lose, and no recipe ends in int8; leave it out, or build int8.")
    checkpoint = fetch_checkpoint(request.checkpoint)
    shape = read_shape(checkpoint)
    for recipe in recipes:
        check_steps(recipe.steps, shape)
    data = load_data(request.data, checkpoint_task(request.task, checkpoint).target, request.columns)
    for recipe in recipes:
        check_rows(recipe, data, request.calibrate_on_evaluation, request.max_drop is not None)
    model = request.name or checkpoint.resolve().name
    return [build_variant(request, checkpoint, data, model, recipe.text) for recipe in recipes]


def recipe_of(text: str) -> "Recipe":
    """The recipe that `text` spells.

    Raises:
        RecipeError: it cannot be read.
    """
    from recipes.grammar import parse_recipe
    from recipes.steps.catalogue import STEPS

    return parse_recipe(text, STEPS)


def backends_of(recipe: "Recipe", asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The backends that a recipe writes artifacts for, with an engine to measure each: those asked for, or the default.

    Raises:
        ParetoServeError: the recipe has nothing for a backend that was asked for.
        EnvironmentUnavailable: an engine is not installed.
    """
    from recipes.export import catalogue

    written = catalogue.backends_of(recipe.precision)
    for backend in asked or ():
        if backend not in written:
            raise ParetoServeError(
                f"Recipe {recipe.text!r} writes nothing for backend {backend!r}; it can write for {', '.join(written)}."
            )
    backends = asked or tuple(backend for backend in catalogue.DEFAULT_BACKENDS if backend in written)
    for backend in backends:
        interpreter_for(backend)
    return backends


def build_variant(
    request: BuildRequest, checkpoint: Path, data: Data, model: str, recipe: str, variant: str | None = None
) -> Path:
    """Build one variant, called after its recipe unless `variant` says otherwise."""
    from recipes.run import run_recipe

    parsed, sources = recipe_of(recipe), Sources(request, checkpoint, data, model)
    backends = backends_of(parsed, request.backends)
    variant = variant or parsed.name
    target = request.store / model / variant
    with written_in(target), staging(target) as folder, progress(f"Building {model}/{variant}") as report:
        built = run_recipe(parsed, recipe_input(sources, parsed, backends, folder, report))
        write_manifest(measured_manifest(sources, variant, built, folder, report), folder)
    with written_in(target):
        compare_with_dense(request.store, model)
    return target


def recipe_input(
    sources: Sources, recipe: "Recipe", backends: tuple[str, ...], folder: Path, report: Progress
) -> "RecipeInput":
    """What is given to a recipe that writes into `folder`; the first half of the progress of a build is its own."""
    from recipes.run import RecipeInput

    request, checkpoint, data = sources.request, sources.checkpoint, sources.data
    return RecipeInput(
        checkpoint=checkpoint,
        data=data,
        out_dir=folder,
        work=sources.work,
        latency_s=latency_on(backends[0], recipe.precision, checkpoint, data, request.max_tokens),
        report=lambda what, part: report(what, part / 2),
        max_tokens=request.max_tokens,
        seed=request.seed,
        jobs=request.jobs,
        backends=backends,
        calibrate_on_evaluation=request.calibrate_on_evaluation,
        limit=limit_of(request.max_drop, request.task, checkpoint),
    )


def measured_manifest(sources: Sources, variant: str, built: "Built", folder: Path, report: Progress) -> Manifest:
    """The manifest, with what is measured of the artifacts in `folder`; writes what they answered beside them."""
    began, split = time.monotonic(), sources.data.evaluation
    manifest = _manifest(sources, variant, built)
    measured = artifacts_of(built.artifacts, built.checkpoint, manifest, folder, split, report)
    predictions = predictions_of(open_task(manifest.task, manifest.task_settings), measured.answers, split)
    return msgspec.structs.replace(
        manifest,
        artifacts=measured.artifacts,
        seconds=round(built.seconds + time.monotonic() - began, 1),
        predictions=write_predictions(predictions, folder) if predictions else None,
    )


def _manifest(sources: Sources, variant: str, built: "Built") -> Manifest:
    """All that is known before the artifacts are measured."""
    task = sources.request.task
    return Manifest(
        model=sources.model,
        variant=variant,
        technique=built.technique,
        lineage=built.lineage,
        parent=built.parent,
        task=task_name(task, built.checkpoint),
        task_settings=settings_of(checkpoint_task(task, built.checkpoint)),
        max_tokens=built.exported.max_tokens,
        token_lengths=built.token_lengths,
        parameters=built.exported.parameters,
        nonzero=built.exported.nonzero,
        macs_per_token=_macs_per_token(built),
        golden=golden_inputs(sources.data.evaluation),
    )


def _macs_per_token(built: "Built") -> int:
    """At the mean length of the data's texts."""
    return macs_per_token(read_shape(built.checkpoint), round(mean(built.token_lengths)))
