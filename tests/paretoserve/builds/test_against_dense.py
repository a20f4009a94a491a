from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from handlers.tasks.base import Score
from handlers.tasks.text_classification import TextClassification
from loadtest.statistics.accuracy import paired_difference
from model_store.manifest import Artifact, Difference, Manifest, Quality, Technique, read_manifest, write_manifest
from model_store.predictions import Answers, read_predictions, write_predictions
from model_store.rows import Row, Split
from paretoserve.builds.against_dense import compare_with_dense, predictions_of

TASK = TextClassification(("no", "yes"))
SPLIT = Split("films", "dev", tuple(Row(f"film {i}", None, i % 2) for i in range(8)))

Build = Callable[..., Path]


def answers(labels: str) -> list[dict[str, object]]:
    """`10…` as a client is told it, with scores that differ from call to call."""
    return [{"label": TASK.labels[int(one)], "score": 0.5 + i / 100} for i, one in enumerate(labels)]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def build(store: Path) -> Build:
    def variant(name: str, recipe: str, given: dict[str, str], split: Split = SPLIT, model: str = "films") -> Path:
        folder = store / model / name
        folder.mkdir(parents=True, exist_ok=True)
        predictions = predictions_of(TASK, {backend: answers(labels) for backend, labels in given.items()}, split)
        assert predictions is not None
        quality = Quality(dataset="films", split="dev", metric="accuracy", value=0.5, correct=4, n=8)
        artifacts = {
            backend: Artifact(file="m", layout="packed", precision="fp32", sha256={}, bytes=1, quality=quality)
            for backend in given
        }
        manifest = Manifest(
            model=model,
            variant=name,
            technique=Technique(recipe=recipe),
            task_settings={"labels": ["no", "yes"]},
            max_tokens=64,
            artifacts=artifacts,
            predictions=write_predictions(predictions, folder),
        )
        write_manifest(manifest, folder)
        compare_with_dense(store, model)
        return folder

    return variant


def difference(folder: Path, backend: str = "onnxruntime") -> Difference | None:
    quality = read_manifest(folder).artifacts[backend].quality
    assert quality is not None
    return quality.against_dense


def test_predictions_are_answers_without_scores_and_the_rows_that_are_wrong() -> None:
    found = predictions_of(TASK, {"torch": answers("01011101"), "openvino": answers("11010101")}, SPLIT)
    assert found is not None
    assert found.answers == ['{"label":"no"}', '{"label":"yes"}']
    assert found.backends["torch"] == Answers(given=[0, 1, 0, 1, 1, 1, 0, 1], wrong=[4])
    assert found.backends["openvino"] == Answers(given=[1, 1, 0, 1, 0, 1, 0, 1], wrong=[0])


def test_a_task_that_counts_no_right_answers_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextClassification, "score", lambda task, answers, rows: Score(0.5))
    assert predictions_of(TASK, {"torch": answers("01010101")}, SPLIT) is None


@pytest.mark.parametrize("dense_first", [True, False])
def test_a_variant_is_compared_with_the_dense_one_whichever_is_built_first(build: Build, dense_first: bool) -> None:
    def int8() -> Path:
        return build("int8", "int8", {"onnxruntime": "11011101", "openvino": "01010101"})

    folder = int8()
    dense = build("dense", "dense", {"onnxruntime": "01010111"})
    if dense_first:
        folder = int8()
    found = difference(folder)
    assert found is not None
    expected = paired_difference([False, *[True] * 3, False, *[True] * 3], [*[True] * 6, False, True])
    assert (found.value, found.interval, found.p) == (expected.value, expected.interval, expected.p)
    assert found.agreement == 5 / 8
    assert difference(folder, "openvino") is None, "the dense variant has no artifact for it"
    assert difference(dense) is None


def test_what_was_measured_on_other_rows_or_of_another_model_is_not_compared(build: Build) -> None:
    build("dense", "dense", {"onnxruntime": "01010101"})
    others = Split("films", "dev", tuple(Row(f"other {i}", None, i % 2) for i in range(8)))
    assert difference(build("int8", "int8", {"onnxruntime": "01010101"}, others)) is None
    assert difference(build("int8", "int8", {"onnxruntime": "01010101"}, model="songs")) is None


def test_a_neighbour_that_cannot_be_read_is_passed_by(build: Build) -> None:
    build("dense", "dense", {"onnxruntime": "01010101"})
    damaged = build("bf16", "bf16", {"onnxruntime": "01010101"})
    (damaged / "predictions.json").write_text("{}")
    (damaged.parent / "later").mkdir()
    (damaged.parent / "later" / "variant.json").write_text('{"schema": 99}')
    assert difference(build("int8", "int8", {"onnxruntime": "01010101"})) is not None


def test_a_dense_variant_that_is_built_again_is_compared_with_again(build: Build) -> None:
    build("dense", "dense", {"onnxruntime": "01010101"})
    folder = build("int8", "int8", {"onnxruntime": "01010101"})
    build("dense", "dense", {"onnxruntime": "01010110"})
    found = difference(folder)
    assert found is not None
    assert found.value == 2 / 8
    manifest = read_manifest(folder)
    assert read_predictions(folder, msgspec.structs.replace(manifest, predictions=None)) is None
