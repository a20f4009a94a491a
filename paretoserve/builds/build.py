"""Build variants: a recipe writes artifacts, the engine that will serve them measures them, a manifest says it all."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from model_store.errors import ParetoServeError
from model_store.manifest import Manifest, write_manifest
from model_store.rows import Data
from model_store.store import staging
from paretoserve.builds.artifacts import Text, artifacts_of, golden_inputs, texts_of
from paretoserve.environments.catalogue import interpreter_for
from paretoserve.terminal.progress import progress
from recipes.data.checkpoint import fetch_checkpoint
from recipes.data.rows import Columns, load_data


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """Build `recipes` from a checkpoint (a folder or a Hub id) and data (a file, a folder or a Hub id).

    `backends` are those to write artifacts for; unless some are named, each recipe writes those of the default ones
    that it can.
    """

    checkpoint: str
    data: str
    recipes: tuple[str, ...]
    store: Path
    name: str | None = None
    columns: Columns = Columns()
    max_tokens: int = 128
    backends: tuple[str, ...] | None = None


def build(request: BuildRequest) -> list[Path]:
    """Build every recipe of a request; the folders of the variants, in the order asked.

    Raises:
        ParetoServeError: an unknown recipe, one that has nothing for a backend, an engine that is missing or fails, a
            checkpoint or data that cannot be read.
    """
    from networks.config import read_shape

    for name in request.recipes:
        backends_of(name, request.backends)
    checkpoint = fetch_checkpoint(request.checkpoint)
    data = load_data(request.data, read_shape(checkpoint).labels, request.columns)
    model = request.name or checkpoint.resolve().name
    return [build_variant(request, checkpoint, data, model, recipe) for recipe in request.recipes]


def backends_of(recipe: str, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The backends that a recipe writes artifacts for, with an engine to measure each: those asked for, or the default.

    Raises:
        ParetoServeError: there is no such recipe, or it has nothing for a backend that was asked for.
        EnvironmentUnavailable: an engine is not installed.
    """
    # Recipes bring torch and the quantizers along, which only building needs.
    from recipes.base import DEFAULT_BACKENDS
    from recipes.catalogue import RECIPES, WRITTEN

    if recipe not in RECIPES:
        raise ParetoServeError(f"There is no recipe {recipe!r}; choose from {', '.join(RECIPES)}.")
    for backend in asked or ():
        if backend not in WRITTEN[recipe]:
            raise ParetoServeError(
                f"Recipe {recipe!r} writes nothing for backend {backend!r}; it can write for "
                f"{', '.join(WRITTEN[recipe])}."
            )
    backends = asked or tuple(backend for backend in DEFAULT_BACKENDS if backend in WRITTEN[recipe])
    for backend in backends:
        interpreter_for(backend)
    return backends


def build_variant(
    request: BuildRequest, checkpoint: Path, data: Data, model: str, recipe: str, variant: str | None = None
) -> Path:
    """Build one variant, called after its recipe unless `variant` says otherwise."""
    from recipes.base import RecipeInput
    from recipes.catalogue import RECIPES

    variant, backends = variant or recipe, backends_of(recipe, request.backends)
    target = request.store / model / variant
    with staging(target) as folder, progress(f"Building {model}/{variant}") as report:
        given = RecipeInput(
            checkpoint,
            calibration_texts(data),
            folder,
            lambda what, part: report(what, part / 2),
            request.max_tokens,
            backends,
        )
        built = RECIPES[recipe](given)
        manifest = Manifest(
            model=model,
            variant=variant,
            technique=built.technique,
            parent=built.parent,
            labels=list(built.labels),
            max_tokens=built.max_tokens,
            parameters=built.parameters,
            nonzero=built.nonzero,
            golden=golden_inputs(data.evaluation),
        )
        artifacts = artifacts_of(built.artifacts, checkpoint, manifest, folder, data.evaluation, report)
        write_manifest(msgspec.structs.replace(manifest, artifacts=artifacts), folder)
    return target


def calibration_texts(data: Data) -> tuple[Text, ...]:
    """What recipes choose their calibration texts from: the train split, or where there is none the other."""
    return texts_of((data.train or data.evaluation).rows)
