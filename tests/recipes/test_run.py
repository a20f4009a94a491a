import shutil
from pathlib import Path

import onnx
import pytest

from model_store.errors import DataError, RecipeError
from model_store.manifest import Manifest, Technique, write_manifest
from model_store.rows import Data, Row, Split
from networks.encoder.shape import EncoderShape
from recipes.grammar import Recipe
from recipes.max_drop import Limit
from recipes.run import Built, RecipeInput, check_rows, run_recipe
from recipes.steps.base import StepInput
from recipes.steps.qat import Qat
from tests.recipes.test_grammar import Layers
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))
DEV = Split("films", "dev", ROWS)
BOTH = Data(Split("films", "train", ROWS[:4]), DEV)
DEV_ONLY = Data(None, DEV)


def never(shape: EncoderShape) -> float:
    raise AssertionError("nobody asked for latencies")


def run(
    checkpoint: Path,
    out_dir: Path,
    recipe: Recipe,
    data: Data = BOTH,
    flag: bool = False,
    limit: Limit | None = None,
) -> Built:
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
        limit=limit,
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


def scores(*found: float) -> Limit:
    """One point may be lost; artifacts score this, in the order in which they are asked."""
    left = iter(found)
    return Limit(1.0, lambda *asked: next(left))


@pytest.mark.timeout(120)
def test_where_leaving_layers_is_not_enough_the_checkpoint_is_trained_and_exported(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    # In fp32; in int8, and with one layer in fp32 and two; trained, and with one layer in fp32.
    limit = scores(0.9, 0.7, 0.7, 0.7, 0.88, 0.9)
    built = run(checkpoint, tmp_path / "out", Recipe((), "int8"), limit=limit)
    assert [(step.step, step.parameters) for step in built.lineage] == [("qat", {"passes": 1.0})]
    assert built.checkpoint != checkpoint
    kept = built.technique.parameters
    assert [(one["qat"], one["in_fp32"]) for one in kept["tried"]] == [
        *[(False, 0), (False, 1), (False, 2)],
        *[(True, 0), (True, 1)],
    ]
    (left,) = kept["in_fp32"]["onnxruntime"]
    weights = {one.name for one in onnx.load(tmp_path / "out" / "model.onnx").graph.initializer}
    assert f"{left}.weight" in weights, "it is as it was"
    assert f"{left}.weight.i8" not in weights
    assert kept["calibration_texts"] == 3, "not on the rows that it was measured on"
    assert built.seconds > built.lineage[0].seconds


@pytest.mark.timeout(120)
def test_what_a_recipe_has_trained_already_is_not_trained_once_more(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^Recipe 'qat\+int8' loses 20\.00 points .* after qat"):
        run(
            tiny_checkpoint(tmp_path / "tiny"),
            tmp_path / "out",
            Recipe((Qat(),), "int8"),
            limit=scores(0.9, 0.7, 0.7, 0.7),
        )


def test_what_is_not_int8_is_not_limited(tmp_path: Path) -> None:
    run(tiny_checkpoint(tmp_path / "tiny"), tmp_path / "out", Recipe((), "fp32"), DEV_ONLY, limit=scores())


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


def test_what_is_called_while_steps_train_may_end_them(tmp_path: Path) -> None:
    def end() -> None:
        raise KeyboardInterrupt

    given = RecipeInput(
        checkpoint=tiny_checkpoint(tmp_path / "tiny"),
        data=BOTH,
        out_dir=tmp_path / "out",
        work=tmp_path / "work",
        latency_s=never,
        report=lambda what, done: None,
        backends=("onnxruntime",),
        while_training=end,
    )
    (tmp_path / "out").mkdir()
    run_recipe(Recipe((), "fp32"), given)
    with pytest.raises(KeyboardInterrupt):
        run_recipe(Recipe((Qat(),), "fp32"), given)


def test_a_variant_made_of_a_variant_names_its_parent(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "sparse", shape=tiny_shape(heads=(1, 2)))
    technique = Technique(recipe="sparse:90")
    manifest = Manifest(
        model="m", variant="sparse-90", technique=technique, task_settings={"labels": ["a"]}, max_tokens=64
    )
    write_manifest(manifest, checkpoint)
    assert run(checkpoint, tmp_path / "int8", Recipe((), "int8")).parent == "sparse-90"
