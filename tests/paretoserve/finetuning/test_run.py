import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec
import pytest
import torch
from safetensors.torch import load_file, save_file

from handlers.tasks.text_classification import TextClassification
from model_store.errors import DataError, ParetoServeError, StoreError, UnsupportedCheckpoint
from model_store.manifest import read_manifest
from networks.checkpoint import load_checkpoint
from networks.config import read_shape
from paretoserve.builds.build import BuildRequest, build
from paretoserve.finetuning.run import FinetuneRequest, finetune
from recipes.data.rows import load_data
from recipes.data.tokens import load_tokenizer
from recipes.finetuning.record import Training, read_training
from recipes.finetuning.scores import wilson
from recipes.finetuning.settings import FinetuneSettings
from recipes.training.evaluation import Evaluation
from tests.paretoserve.finetuning.films import texts, write_films
from tests.tiny import tiny_checkpoint, tiny_shape

SETTINGS = FinetuneSettings(epochs=4, batch=16, learning_rate=3e-3, max_tokens=32)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_films(tmp_path / "films")


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A pretrained encoder as it is published, without pooler, classifier and labels."""
    folder = tiny_checkpoint(tmp_path / "encoder")
    weights = load_file(folder / "model.safetensors")
    kept = {n.removeprefix("bert."): w for n, w in weights.items() if not n.startswith(("classifier", "bert.pooler"))}
    save_file(kept, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    unused = ("id2label", "label2id", "heads_kept", "units_kept", "head_size")
    (folder / "config.json").write_text(json.dumps({k: v for k, v in config.items() if k not in unused}))
    return folder


@pytest.fixture
def request_(tmp_path: Path, data: Path, encoder: Path) -> FinetuneRequest:
    return FinetuneRequest(str(data), tmp_path / "out" / "films", SETTINGS, str(encoder))


def with_settings(request: FinetuneRequest, **changes: Any) -> FinetuneRequest:
    return replace(request, settings=msgspec.structs.replace(request.settings, **changes))


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_an_encoder_without_a_head_learns_the_task(
    request_: FinetuneRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    training = finetune(request_)
    assert training.scores.accuracy > 0.9
    said = capfd.readouterr().err
    assert "Labels: LABEL_0, LABEL_1." in said
    assert "'encoder' has no pooler and classifier for these labels: drawn from seed 0." in said


def test_the_checkpoint_is_whole_and_answers_as_the_record_says(request_: FinetuneRequest, data: Path) -> None:
    training = finetune(request_)
    names = {file.name for file in request_.out.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "training.json", "training.svg"}
    rows = load_data(str(data), TextClassification(read_shape(request_.out).labels).target).evaluation.rows
    tokenizer = load_tokenizer(request_.out / "tokenizer.json", 32)
    assert Evaluation.of(tokenizer, rows).accuracy(load_checkpoint(request_.out)) == training.scores.accuracy
    assert list(request_.out.parent.iterdir()) == [request_.out], "no work is left beside it"


def test_the_record_says_how_it_was_trained(request_: FinetuneRequest) -> None:
    training = finetune(request_)
    assert read_training(request_.out) == training
    raw = json.loads((request_.out / "training.json").read_text())
    assert raw["settings"] == msgspec.to_builtins(SETTINGS)
    assert raw["rows"] == {"dataset": "films", "train": 144, "validation": 16, "unlabelled": 0, "evaluation": "dev"}
    assert (raw["steps"], raw["checkpoint"], raw["drawn"]) == (36, "encoder", ["pooler", "classifier"])
    assert [point["step"] for point in raw["curve"]] == list(range(3, 37, 3))
    assert raw["scores"]["interval_95"] == pytest.approx(wilson(raw["scores"]["correct"], 50))
    assert raw["scores"]["matthews"] > 0.8
    assert raw["scores"]["f1"] > 0.8
    assert raw["versions"]["torch"] == torch.__version__
    best = max(point["score"] for point in raw["curve"])
    assert raw["best_step"] == next(point["step"] for point in raw["curve"] if point["score"] == best)


def test_the_chart_shows_each_check_and_marks_the_best(request_: FinetuneRequest) -> None:
    training = finetune(request_)
    svg = (request_.out / "training.svg").read_text()
    ElementTree.fromstring(svg)  # noqa: S314  our own
    assert f"Best at step {training.best_step}" in svg
    assert "validation accuracy, %" in svg
    assert "Checked 12 times in 36 steps." in svg


def test_the_same_seed_gives_the_same_checkpoint_and_another_one_another(
    request_: FinetuneRequest, tmp_path: Path
) -> None:
    again, other = replace(request_, out=tmp_path / "again"), replace(request_, out=tmp_path / "other")
    finetune(request_)
    finetune(again)
    finetune(with_settings(other, seed=1))
    assert weights(request_.out) == weights(again.out) != weights(other.out)


def test_without_a_checkpoint_a_small_encoder_learns_from_the_texts_alone(
    request_: FinetuneRequest, tmp_path: Path
) -> None:
    write_films(tmp_path / "films", ("bad one", "good one"), train=400)
    settings = FinetuneSettings(epochs=6, batch=16, learning_rate=1e-3, max_tokens=32)
    training = finetune(replace(request_, checkpoint=None, settings=settings))
    assert training.scores.accuracy > 0.9
    assert training.labels == read_shape(request_.out).labels == ("bad one", "good one")
    assert load_tokenizer(request_.out / "tokenizer.json", 9).encode("this film was good").tokens[0] == "[CLS]"


def test_it_ends_early_where_nothing_gets_better(request_: FinetuneRequest) -> None:
    training = finetune(with_settings(request_, patience=2, epochs=20))
    assert training.ended_early
    scores = [point.score for point in training.curve]
    assert scores.index(max(scores)) == len(scores) - 3


def test_a_task_of_three_named_classes_has_no_measures_of_two(request_: FinetuneRequest, data: Path) -> None:
    for name in ("train", "dev"):
        file = data / f"{name}.tsv"
        header, *lines = file.read_text().splitlines()
        named = [line.rpartition("\t")[0] + f"\t{('mixed', 'bad', 'good')[i % 3]}" for i, line in enumerate(lines)]
        file.write_text("\n".join([header, *named]) + "\n")
    training = finetune(with_settings(request_, epochs=0.5))
    assert training.labels == ("bad", "good", "mixed")
    assert (training.scores.matthews, training.scores.f1) == (None, None)


# Teachers


def taught_by(request: FinetuneRequest, teacher: Path, **changes: Any) -> Training:
    return finetune(with_settings(replace(request, teacher=str(teacher)), **changes))


@pytest.fixture
def teacher(request_: FinetuneRequest, tmp_path: Path) -> Path:
    """A checkpoint that knows the task, and calls its labels in another order than the data does."""
    folder = tmp_path / "teacher"
    finetune(replace(request_, out=folder))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"id2label": {"0": "Good", "1": "Bad"}}))
    head = load_file(folder / "model.safetensors")
    swapped = {name: head[name].flip(0).contiguous() for name in ("classifier.weight", "classifier.bias")}
    save_file(head | swapped, folder / "model.safetensors")
    return folder


def test_a_student_learns_from_the_teachers_answers_alone(
    request_: FinetuneRequest, data: Path, teacher: Path, tmp_path: Path
) -> None:
    write_films(data, ("bad", "good"))
    (tmp_path / "more.txt").write_text("\n".join(text for text, _ in texts(300, seed=1)) + "\n")
    # The labels are of no help: every other one is wrong.
    train = data / "train.tsv"
    header, *lines = train.read_text().splitlines()
    wrong = [line.rpartition("\t")[0] + f"\t{('bad', 'good')[i % 2]}" for i, line in enumerate(lines)]
    train.write_text("\n".join([header, *wrong]) + "\n")
    student = replace(request_, unlabelled=tmp_path / "more.txt")
    training = taught_by(student, teacher, distillation_weight=1.0)
    assert training.labels == ("Good", "Bad"), "the teacher's names, in its order"
    assert training.rows.unlabelled > 200
    assert training.curve[-1].loss < 0.2 * training.curve[0].loss


def test_a_teacher_with_other_labels_is_refused_before_any_training(
    request_: FinetuneRequest, data: Path, teacher: Path
) -> None:
    write_films(data, ("dull", "fun"))
    with pytest.raises(
        UnsupportedCheckpoint, match=r"'teacher' knows the labels Good, Bad, but the data has dull, fun"
    ):
        taught_by(request_, teacher)
    assert not request_.out.exists()


def test_a_teacher_without_a_classifier_is_refused(request_: FinetuneRequest, encoder: Path) -> None:
    with pytest.raises(UnsupportedCheckpoint, match="not those of a fine-tuned bert classifier"):
        taught_by(request_, encoder)


# Folders


def test_what_was_finished_is_not_done_again(request_: FinetuneRequest, capfd: pytest.CaptureFixture[str]) -> None:
    first = finetune(request_)
    changed = (request_.out / "model.safetensors").stat().st_mtime_ns
    capfd.readouterr()
    assert finetune(request_) == first
    assert "'films' was trained so already; nothing is left to do." in capfd.readouterr().err
    assert (request_.out / "model.safetensors").stat().st_mtime_ns == changed


def test_other_settings_replace_what_was_trained_before(request_: FinetuneRequest) -> None:
    finetune(with_settings(request_, epochs=1))
    assert finetune(with_settings(request_, epochs=2)).steps == 18
    trained = read_training(request_.out)
    assert trained is not None
    assert trained.steps == 18


def test_a_folder_of_something_else_is_left_alone(request_: FinetuneRequest, encoder: Path) -> None:
    with pytest.raises(StoreError, match="'encoder' holds something that no fine-tuning wrote; give --out a folder"):
        finetune(replace(request_, out=encoder))
    assert (encoder / "model.safetensors").is_file()


def test_what_somebody_added_to_a_checkpoint_is_not_lost(request_: FinetuneRequest) -> None:
    finetune(with_settings(request_, epochs=0.1))
    (request_.out / "notes.md").write_text("mine")
    with pytest.raises(StoreError, match="'films' holds something that no fine-tuning wrote"):
        finetune(request_)
    assert (request_.out / "notes.md").is_file()


def test_build_takes_the_checkpoint(request_: FinetuneRequest, data: Path, tmp_path: Path) -> None:
    training = finetune(request_)
    request = BuildRequest(str(request_.out), str(data), ("dense",), tmp_path / "store", backends=("torch",))
    (variant,) = build(request)
    quality = read_manifest(variant).artifacts["torch"].quality
    assert quality is not None
    assert (quality.correct, quality.n) == (training.scores.correct, training.scores.n)


# What cannot be done


def no_training(data: Path) -> None:
    (data / "train.tsv").unlink()


def one_class(data: Path) -> None:
    (data / "train.tsv").write_text("sentence\tlabel\na film\t1\na plot\t1\n")


def no_rows(data: Path) -> None:
    (data / "train.tsv").write_text("sentence\tlabel\n")


def a_strange_label(data: Path) -> None:
    with (data / "dev.tsv").open("a") as file:
        file.write("a film\t2\n")


def no_label(data: Path) -> None:
    with (data / "dev.tsv").open("a") as file:
        file.write("a film\t-1\n")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_training, "has no train split; give a folder with train"),
        (one_class, "All rows of split 'train' of 'films' have label '1'"),
        (no_rows, "'train.tsv' has no rows"),
        (a_strange_label, "Split 'dev' of 'films' has label '2', which no row of its train split has; known are 0, 1"),
        (no_label, "Line 52 of 'dev.tsv' has label -1, which stands for none"),
    ],
)
def test_data_that_nothing_can_be_learnt_from_is_refused(
    request_: FinetuneRequest, data: Path, spoil: Any, message: str
) -> None:
    spoil(data)
    with pytest.raises(DataError, match=re.escape(message)):
        finetune(request_)
    assert not request_.out.parent.exists(), "nothing was begun"


def test_another_kind_of_model_is_refused(request_: FinetuneRequest, encoder: Path) -> None:
    (encoder / "config.json").write_text(json.dumps({"model_type": "t5"}))
    with pytest.raises(UnsupportedCheckpoint, match="model_type = 't5'; only these architectures are read: bert"):
        finetune(request_)


def test_a_tokenizer_with_more_pieces_than_the_encoder_knows_is_refused(
    request_: FinetuneRequest, tmp_path: Path
) -> None:
    small = replace(tiny_shape(), vocab_size=20)
    folder = tiny_checkpoint(tmp_path / "small", shape=small)
    with pytest.raises(ParetoServeError, match=r"tokenizer of 'small' has \d+ word pieces, but its encoder knows 20"):
        finetune(replace(request_, checkpoint=str(folder)))
