import shutil
from pathlib import Path

import pytest

from model_store.errors import DataError
from model_store.manifest import Manifest, Technique, write_manifest
from model_store.rows import Data, Row, Split
from networks.encoder.shape import EncoderShape
from recipes.grammar import Recipe
from recipes.run import Built, RecipeInput, check_rows, run_recipe
from recipes.steps.base import StepInput
from tests.recipes.test_grammar import Layers
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))
DEV = Split("films", "dev", ROWS)
BOTH = Data(Split("films", "train", ROWS[:4]), DEV)
DEV_ONLY = Data(None, DEV)


def never(shape: EncoderShape) -> float:
    raise AssertionError("nobody asked for latencies")


def run(checkpoint: Path, out_dir: Path, recipe: Recipe, data: Data = BOTH, flag: bool = False) -> Built:
    out_dir.mkdir()
    given = RecipeInput(
        checkpoint=checkpoint,
        data=data,
        out_dir=out_dir,
        work=out_dir / "work",
        latency_s=never,
        report=lambda what, done: None,
        backends=("onnxruntime",),
        calibrate_on_evaluation=flag,
    )
    return run_recipe(recipe, given)


def test_without_steps_the_checkpoint_itself_is_written(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    built = run(checkpoint, tmp_path / "out", Recipe((), "fp32"))
    assert (built.checkpoint, built.lineage, built.parent) == (checkpoint, [], None)
    assert built.technique == Technique(recipe="dense")
    assert not (tmp_path / "out" / "work").exists()


def test_ranges_are_measured_on_the_train_split(tmp_path: Path) -> None:
    built = run(tiny_checkpoint(tmp_path / "tiny"), tmp_path / "out", Recipe((), "int8"))
    assert built.technique.parameters == {"calibration_texts": 4, "activation_ranges": "static"}


def test_ranges_are_measured_on_evaluation_rows_only_if_one_insists_and_the_manifest_says_so(tmp_path: Path) -> None:
    checkpoint, recipe = tiny_checkpoint(tmp_path / "tiny"), Recipe((), "int8")
    with pytest.raises(DataError, match=r"^Recipe 'int8' needs a train split, .*--calibrate-on-evaluation"):
        run(checkpoint, tmp_path / "refused", recipe, DEV_ONLY)
    built = run(checkpoint, tmp_path / "out", recipe, DEV_ONLY, flag=True)
    assert built.technique.parameters["calibrated_on"] == "dev"


def test_an_alias_is_kept_with_the_chain_that_it_stands_for(tmp_path: Path) -> None:
    recipe = Recipe((), "int8", alias="short")
    built = run(tiny_checkpoint(tmp_path / "tiny"), tmp_path / "out", recipe)
    assert (built.technique.recipe, built.technique.parameters["chain"]) == ("short", "int8")


def test_steps_need_a_train_split_whatever_one_insists_on() -> None:
    recipe = Recipe((Layers(1),), "fp32")
    check_rows(recipe, BOTH, calibrate_on_evaluation=False)
    with pytest.raises(DataError, match=r"^Recipe 'layers:1' needs a train split, .* train\.\* beside dev\.\*"):
        check_rows(recipe, DEV_ONLY, calibrate_on_evaluation=True)


def test_lengths_of_the_train_split_are_kept(tmp_path: Path) -> None:
    built = run(tiny_checkpoint(tmp_path / "tiny"), tmp_path / "out", Recipe((), "fp32"))
    assert len(built.token_lengths) == 32
    assert built.token_lengths == sorted(built.token_lengths)
    assert (built.token_lengths[0], built.token_lengths[-1]) == (3, 10)


def test_what_a_step_reports_lies_in_the_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(step: Layers, given: StepInput) -> Path:
        shutil.copytree(given.checkpoint, given.work / "made")
        (given.work / "made" / "report").mkdir()
        (given.work / "made" / "report" / "chart.svg").write_text("a chart")
        return given.work / "made"

    monkeypatch.setattr(Layers, "run", tell)
    run(tiny_checkpoint(tmp_path / "tiny"), tmp_path / "out", Recipe((Layers(1),), "fp32"))
    assert (tmp_path / "out" / "report" / "layers" / "chart.svg").read_text() == "a chart"


def test_a_variant_made_of_a_variant_names_its_parent(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "sparse", shape=tiny_shape(heads=(1, 2)))
    technique = Technique(recipe="sparse:90")
    manifest = Manifest(
        model="m", variant="sparse-90", technique=technique, task_settings={"labels": ["a"]}, max_tokens=64
    )
    write_manifest(manifest, checkpoint)
    assert run(checkpoint, tmp_path / "int8", Recipe((), "int8")).parent == "sparse-90"
