"""The tasks of GLUE: who sees which rows, and the tables that are made of the results."""

from pathlib import Path

import pytest

from benchmarks import glue_table
from benchmarks.harness import glue
from benchmarks.harness.glue import GlueTask, read_task
from benchmarks.harness.results import make_result, spread, write_result
from benchmarks.measures.glue import CHOOSING, RteSearch
from handlers.tasks.text_classification import TextClassification
from model_store.errors import DataError
from model_store.rows import Row, Split
from recipes.data.rows import load_data
from recipes.data.validation import split_off_validation, with_validation_share
from recipes.grammar import parse_recipe
from recipes.steps.catalogue import STEPS
from recipes.steps.nas_step import Nas

SETTINGS = {
    "encoder": "MiniLM",
    "epochs": 5.0,
    "seed": 0,
    "max_tokens": 128,
    "rows": {"train": 1569},
    "only_the_first_rows": None,
    "cores": 2,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pairs, of which some begin with a quote, and further rows to measure on."""
    monkeypatch.setattr(glue, "GLUE", tmp_path / "glue")
    monkeypatch.setattr(glue, "RUNS", tmp_path / "runs")
    task = tmp_path / "glue" / "rte"
    task.mkdir(parents=True)
    for file, count in (("train.tsv", 40), ("dev.tsv", 6), ("dev_ood.tsv", 4)):
        rows = [f'"{file} {i}\tit follows\t{("yes", "no")[i % 2]}\n' for i in range(count)]
        (task / file).write_text("".join(["sentence1\tsentence2\tlabel\n", *rows]))
    return task


@pytest.mark.usefixtures("folder")
def test_a_task_is_read_with_all_rows_to_measure_on_and_written_as_it_was() -> None:
    task = read_task("rte")
    assert (task.labels, len(task.train.rows), len(task.evaluation.rows)) == (("no", "yes"), 40, 10)
    assert task.train.rows[0] == Row('"train.tsv 0', "it follows", 1)
    written = load_data(str(task.written("rte")), TextClassification(task.labels).target)
    assert written.train is not None
    assert (written.train.rows, written.evaluation.rows) == (task.train.rows, task.evaluation.rows)
    assert len(task.first(7).train.rows) == 7


@pytest.mark.usefixtures("folder")
def test_the_fine_tuning_sees_no_row_that_the_search_chooses_by() -> None:
    task = read_task("rte")
    chosen_by = with_validation_share(*split_off_validation(task.train, seed=3), CHOOSING / 100, seed=3)[1]
    learnt = task.without(CHOOSING / 100, seed=3).train.rows
    assert (len(learnt), len(chosen_by.rows)) == (28, 12)
    assert set(learnt).isdisjoint(chosen_by.rows)


def test_what_is_not_there_is_said_with_where_to_put_it(folder: Path) -> None:
    with pytest.raises(DataError, match=r"no data of wnli; put its train\.tsv and dev\.tsv into .*glue/wnli'"):
        read_task("wnli")
    assert folder.is_dir()


def test_sentences_alone_have_one_column_of_texts() -> None:
    rows = (Row("good .", None, 0), Row("bad .", None, 1))
    task = GlueTask(("LABEL_0", "LABEL_1"), Split("cola", "train", rows), Split("cola", "dev", rows))
    assert "".join(glue._lines(task.train.rows, task.labels)) == "sentence\tlabel\ngood .\tLABEL_0\nbad .\tLABEL_1\n"


def test_the_search_is_told_its_split_and_its_seeds() -> None:
    recipe = parse_recipe(RteSearch().recipe("error<=dense+1.0"), STEPS)
    assert recipe.steps == (Nas("error<=dense+1.0", 5.0, 5.0, 100, 3, 30.0),)


def quality(value: float) -> dict[str, object]:
    return {
        "value": value,
        "interval": (value - 0.05, value + 0.05),
        "against_dense": {"value": value - 0.7, "interval": (-0.06, 0.02)} if value != 0.7 else None,
        "further": {"Matthews correlation": 2 * value - 1},
    }


def test_the_search_on_rte_is_shown_with_its_hypervolumes_beside_those_of_chance(tmp_path: Path) -> None:
    summary = {
        "variants": {
            "dense": {"recipe": "dense", "quality": quality(0.7), "macs_per_token": 1000},
            "nas-largest": {"recipe": "nas:largest:5:5:100:3:30", "quality": quality(0.68), "macs_per_token": 600},
        },
        "picks": {"nas-largest": {"parameters": 550}},
        "dense": {"parameters": 1000},
        "hypervolume": {"nsga2.0": 0.31, "nsga2.1": 0.32, "random.0": 0.25, "random.1": 0.26},
    }
    settings = SETTINGS | {"search": {"evaluations": 100}}
    write_result(make_result("rte", settings, [], summary), tmp_path)
    page = glue_table.render_rte("<!-- rte -->\n<!-- /rte -->\n", tmp_path)
    assert "| `dense` | 70.00 (65.0 to 75.0) | \N{EN DASH} | 100% | 100% |" in page
    assert "| `nas:largest` | 68.00 (63.0 to 73.0) | -2.00 (-6.0 to +2.0) | 55% | 60% |" in page
    assert "| seed 1 | 0.3200 | 0.2600 |" in page
    assert "5 epochs of 1569 rows" in page
    assert "mean nothing" not in page


def test_cola_is_shown_with_its_correlation_and_a_trial_says_that_it_is_one(tmp_path: Path) -> None:
    one = {"quality": quality(0.8), "times_baseline": spread([2.0, 3.0])}
    settings = SETTINGS | {"only_the_first_rows": 40}
    write_result(make_result("cola", settings, [], {"variants": {"dense@torchscript": one}}), tmp_path)
    page = glue_table.render_cola("<!-- cola -->\n<!-- /cola -->\n", tmp_path)
    assert "| dense@torchscript | 80.00 (75.0 to 85.0) | 0.6 | 2.50 (2.00-3.00) |" in page
    assert "Tried out with 40 rows" in page
