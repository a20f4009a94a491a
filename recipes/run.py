"""A recipe done: its steps, and the artifacts of what they end in."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model_store.errors import DataError
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, LineageStep, Technique, read_manifest
from model_store.rows import Data
from networks.config import read_shape
from networks.encoder.shape import EncoderShape
from recipes.data.tokens import Text, load_tokenizer, token_lengths
from recipes.data.validation import check_measurable, check_trainable, split_off_validation
from recipes.export.base import BuiltArtifact
from recipes.export.catalogue import DEFAULT_BACKENDS, backends_of
from recipes.export.variant import Exported, ExportInput, export
from recipes.grammar import Recipe
from recipes.max_drop import Limit, LimitInput, described, texts_of, within_limit
from recipes.steps.chain import REPORT_FOLDER, ChainInput, run_steps
from recipes.steps.qat import Qat
from recipes.work.progress import Progress, followed_by, part_of

# So many show how the lengths of texts are spread.
TOKEN_LENGTHS = 32


@dataclass(frozen=True, slots=True)
class RecipeInput:
    """`checkpoint` and `out_dir` exist. `work` is where steps keep what survives a kill; recipes may share it.

    Artifacts are written for as many of `backends` as write the precision; `latency_s` measures on the first of them.
    A step may evaluate in `jobs` processes at once. Without a train split, quantization is refused unless
    `calibrate_on_evaluation` is set, and so are steps. `limit` is what `int8` may lose.
    `while_training` is called again and again while steps train, and may raise to end them: what they kept is gone on
    from.
    """

    checkpoint: Path
    data: Data
    out_dir: Path
    work: Path
    latency_s: Callable[[EncoderShape], float]
    report: Progress
    max_tokens: int = 128
    seed: int = 0
    jobs: int = 1
    backends: tuple[str, ...] = DEFAULT_BACKENDS
    calibrate_on_evaluation: bool = False
    limit: Limit | None = None
    while_training: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Built:
    """What a recipe wrote: an artifact per backend, and what the manifest says of how it was made.

    `checkpoint` is what the steps ended in, which fp32 artifacts must equal. `parent` is the variant it was made of,
    if the first checkpoint was one. `token_lengths` are those of texts of the data. `seconds` is what it took in all,
    runs that were killed and steps that were done earlier included.
    """

    technique: Technique
    lineage: list[LineageStep]
    checkpoint: Path
    exported: Exported
    token_lengths: list[int]
    parent: str | None
    seconds: float

    @property
    def artifacts(self) -> dict[str, BuiltArtifact]:
        return self.exported.artifacts


def check_rows(recipe: Recipe, data: Data, calibrate_on_evaluation: bool, is_limited: bool = False) -> None:
    """Refuse data that lacks the rows that a recipe needs.

    Raises:
        DataError: there is no train split, and the recipe trains or calibrates, or is limited in what `int8` may lose;
            or nothing can be learnt from that split, and the recipe trains; or the rows to measure on have one label.
    """
    check_measurable(data.evaluation)
    if data.train is not None:
        if recipe.steps or (recipe.precision == "int8" and is_limited):
            check_trainable(data.train)
        return
    needed = f"Recipe {recipe.text!r} needs a train split, which {data.evaluation.dataset!r} lacks; give a folder with "
    files = f"train.* beside {data.evaluation.split}.*"
    if recipe.steps:
        raise DataError(f"{needed}{files} to train on.")
    if recipe.precision == "int8" and is_limited:
        raise DataError(f"{needed}{files}, as --max-drop is measured on rows split off that.")
    if recipe.precision == "int8" and not calibrate_on_evaluation:
        raise DataError(
            f"{needed}{files}, or --calibrate-on-evaluation to measure ranges on the rows that it is evaluated on, "
            "which flatters its accuracy."
        )


def run_recipe(recipe: Recipe, given: RecipeInput) -> Built:
    """Do the steps of a recipe and write the artifacts of its precision into `given.out_dir`.

    Raises:
        RecipeError: a step cannot be done, or `int8` loses more than the limit whatever is tried.
        DataError: the data lacks the rows that the recipe needs.
        UnsupportedCheckpoint: the checkpoint cannot be read.
    """
    check_rows(recipe, given.data, given.calibrate_on_evaluation, given.limit is not None)
    is_prepared = bool(recipe.steps) or _limit(recipe, given) is not None
    ready = _ready(recipe, given, part_of(given.report, 0, 2))
    began = time.monotonic()
    exported = export(
        ExportInput(
            checkpoint=ready.checkpoint,
            calibration=ready.texts,
            out_dir=given.out_dir,
            report=part_of(given.report, 1, 2) if is_prepared else given.report,
            max_tokens=given.max_tokens,
            backends=given.backends,
            in_fp32=ready.in_fp32,
        ),
        recipe.precision,
    )
    tokenizer = load_tokenizer(given.out_dir / TOKENIZER_FILE, exported.max_tokens)
    return Built(
        technique=_technique(recipe, given, exported.settings | ready.settings),
        lineage=ready.lineage,
        checkpoint=ready.checkpoint,
        exported=exported,
        token_lengths=token_lengths(tokenizer, ready.texts, TOKEN_LENGTHS),
        parent=_variant_name(given.checkpoint),
        seconds=ready.seconds + time.monotonic() - began,
    )


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is exported: a checkpoint, texts to calibrate on and to count, and what `int8` leaves, by backend.

    `search_s` are the seconds that finding the last took.
    """

    checkpoint: Path
    lineage: list[LineageStep]
    texts: tuple[Text, ...]
    in_fp32: Mapping[str, frozenset[str]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    search_s: float = 0.0

    @property
    def seconds(self) -> float:
        return self.search_s + sum(step.seconds for step in self.lineage)


def _ready(recipe: Recipe, given: RecipeInput, report: Progress) -> _Ready:
    limit = _limit(recipe, given)
    phases = 2 if recipe.steps and limit else 1
    checkpoint, lineage = _steps(recipe, given, part_of(report, 0, phases))
    if limit is None:
        return _Ready(checkpoint, lineage, _texts(given.data))
    search = _search(recipe, given, limit, checkpoint, part_of(report, phases - 1, phases))
    held = within_limit(search)
    lineage = held.trained_by or lineage
    settings = described(held, search)
    return _Ready(held.checkpoint, lineage, texts_of(search.train), held.in_fp32, settings, held.seconds)


def _limit(recipe: Recipe, given: RecipeInput) -> Limit | None:
    return given.limit if recipe.precision == "int8" else None


def _search(recipe: Recipe, given: RecipeInput, limit: Limit, checkpoint: Path, report: Progress) -> LimitInput:
    assert given.data.train is not None, "this is a bug: check_rows refuses a limit without a train split"
    train, validation = split_off_validation(given.data.train, given.seed)
    with_training = replace(recipe, steps=(*recipe.steps, Qat()))
    is_trained = any(isinstance(step, Qat) for step in recipe.steps)
    return LimitInput(
        recipe=recipe.text,
        limit=limit,
        checkpoint=checkpoint,
        train=train,
        validation=validation,
        backends=tuple(backend for backend in given.backends if backend in backends_of(recipe.precision)),
        max_tokens=given.max_tokens,
        trained=None if is_trained else lambda: _steps(with_training, given, report),
        work=given.work,
        report=report,
    )


def _steps(recipe: Recipe, given: RecipeInput, report: Progress) -> tuple[Path, list[LineageStep]]:
    if not recipe.steps:
        return given.checkpoint, []
    assert given.data.train is not None, "this is a bug: check_rows refuses steps without a train split"
    chain = ChainInput(
        checkpoint=given.checkpoint,
        train=given.data.train,
        max_tokens=min(given.max_tokens, read_shape(given.checkpoint).max_tokens),
        seed=given.seed,
        work=given.work,
        target=f"{recipe.precision}@{given.backends[0]}",
        latency_s=given.latency_s,
        report=followed_by(report, given.while_training),
        jobs=given.jobs,
    )
    checkpoint, lineage = run_steps(recipe.steps, chain)
    if (reports := checkpoint / REPORT_FOLDER).is_dir():
        shutil.copytree(reports, given.out_dir / REPORT_FOLDER, dirs_exist_ok=True)
    return checkpoint, lineage


def _texts(data: Data) -> tuple[Text, ...]:
    """Texts to calibrate on and to count: those of the train split, or where there is none of the other."""
    return texts_of(data.train or data.evaluation)


def _technique(recipe: Recipe, given: RecipeInput, settings: dict[str, Any]) -> Technique:
    on_evaluation = bool(settings) and given.data.train is None
    marked = {"calibrated_on": given.data.evaluation.split} if on_evaluation else {}
    chain = {"chain": recipe.chain} if recipe.alias else {}
    return Technique(recipe=recipe.text, parameters=chain | settings | marked)


def _variant_name(checkpoint: Path) -> str | None:
    return read_manifest(checkpoint).variant if (checkpoint / MANIFEST_FILE).is_file() else None
