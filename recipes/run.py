"""A recipe done: its steps, and the artifacts of what they end in."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_store.errors import DataError
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, LineageStep, Technique, read_manifest
from model_store.rows import Data, Row
from networks.config import read_shape
from networks.encoder.shape import EncoderShape
from recipes.data.tokens import Text, load_tokenizer, token_lengths
from recipes.export.base import BuiltArtifact
from recipes.export.catalogue import DEFAULT_BACKENDS
from recipes.export.variant import Exported, ExportInput, export
from recipes.grammar import Recipe
from recipes.steps.chain import REPORT_FOLDER, ChainInput, run_steps
from recipes.work.progress import Progress, part_of

# So many show how the lengths of texts are spread.
TOKEN_LENGTHS = 32


@dataclass(frozen=True, slots=True)
class RecipeInput:
    """`checkpoint` and `out_dir` exist. `work` is where steps keep what survives a kill; recipes may share it.

    Artifacts are written for as many of `backends` as write the precision; `latency_s` measures on the first of them.
    A step may evaluate in `jobs` processes at once. Without a train split, quantization is refused unless
    `calibrate_on_evaluation` is set, and so are steps.
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


@dataclass(frozen=True, slots=True)
class Built:
    """What a recipe wrote: an artifact per backend, and what the manifest says of how it was made.

    `checkpoint` is what the steps ended in, which fp32 artifacts must equal. `parent` is the variant it was made of,
    if the first checkpoint was one. `token_lengths` are those of texts of the data.
    """

    technique: Technique
    lineage: list[LineageStep]
    checkpoint: Path
    exported: Exported
    token_lengths: list[int]
    parent: str | None

    @property
    def artifacts(self) -> dict[str, BuiltArtifact]:
        return self.exported.artifacts


def check_rows(recipe: Recipe, data: Data, calibrate_on_evaluation: bool) -> None:
    """Refuse data that lacks the rows that a recipe needs.

    Raises:
        DataError: there is no train split, and the recipe trains or calibrates.
    """
    if data.train is not None:
        return
    needed = f"Recipe {recipe.text!r} needs a train split, which {data.evaluation.dataset!r} lacks; give a folder with "
    files = f"train.* beside {data.evaluation.split}.*"
    if recipe.steps:
        raise DataError(f"{needed}{files} to train on.")
    if recipe.precision == "int8" and not calibrate_on_evaluation:
        raise DataError(
            f"{needed}{files}, or --calibrate-on-evaluation to measure ranges on the rows that it is evaluated on, "
            "which flatters its accuracy."
        )


def run_recipe(recipe: Recipe, given: RecipeInput) -> Built:
    """Do the steps of a recipe and write the artifacts of its precision into `given.out_dir`.

    Raises:
        RecipeError: a step cannot be done.
        DataError: the data lacks the rows that the recipe needs.
        UnsupportedCheckpoint: the checkpoint cannot be read.
    """
    check_rows(recipe, given.data, given.calibrate_on_evaluation)
    phases = 2 if recipe.steps else 1
    checkpoint, lineage = _steps(recipe, given, part_of(given.report, 0, phases))
    texts = _texts(given.data)
    exported = export(
        ExportInput(
            checkpoint=checkpoint,
            calibration=texts,
            out_dir=given.out_dir,
            report=part_of(given.report, phases - 1, phases),
            max_tokens=given.max_tokens,
            backends=given.backends,
        ),
        recipe.precision,
    )
    tokenizer = load_tokenizer(given.out_dir / TOKENIZER_FILE, exported.max_tokens)
    return Built(
        technique=_technique(recipe, given, exported),
        lineage=lineage,
        checkpoint=checkpoint,
        exported=exported,
        token_lengths=token_lengths(tokenizer, texts, TOKEN_LENGTHS),
        parent=_variant_name(given.checkpoint),
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
        report=report,
        jobs=given.jobs,
    )
    checkpoint, lineage = run_steps(recipe.steps, chain)
    if (reports := checkpoint / REPORT_FOLDER).is_dir():
        shutil.copytree(reports, given.out_dir / REPORT_FOLDER, dirs_exist_ok=True)
    return checkpoint, lineage


def _texts(data: Data) -> tuple[Text, ...]:
    """Texts to calibrate on and to count: those of the train split, or where there is none of the other."""
    rows: tuple[Row, ...] = (data.train or data.evaluation).rows
    return tuple((row.text, row.text_pair) for row in rows)


def _technique(recipe: Recipe, given: RecipeInput, exported: Exported) -> Technique:
    on_evaluation = bool(exported.settings) and given.data.train is None
    marked = {"calibrated_on": given.data.evaluation.split} if on_evaluation else {}
    chain = {"chain": recipe.chain} if recipe.alias else {}
    return Technique(recipe=recipe.text, parameters=chain | exported.settings | marked)


def _variant_name(checkpoint: Path) -> str | None:
    return read_manifest(checkpoint).variant if (checkpoint / MANIFEST_FILE).is_file() else None
