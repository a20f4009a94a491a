import json
from pathlib import Path
from typing import Any

import pytest

from recipes.finetuning.record import Rows, Training, read_training, write_training
from recipes.finetuning.scores import scores_of
from recipes.finetuning.settings import FinetuneSettings
from recipes.training.state import CurvePoint

TRAINING = Training(
    fingerprint="ab12",
    checkpoint="minilm",
    drawn=("classifier",),
    teacher=None,
    labels=("no", "yes"),
    rows=Rows("films", 90, 10, 0, "dev"),
    settings=FinetuneSettings(epochs=3, batch=32, learning_rate=5e-5),
    steps=9,
    best_step=3,
    curve=[CurvePoint(3, 0.4, 0.9), CurvePoint(6, 0.3, 0.8)],
    scores=scores_of([0, 1, 1], [0, 1, 0], labels=2),
    seconds=12.5,
    device="cpu",
    bf16=False,
    versions={"torch": "2"},
)


def test_a_record_comes_back_as_it_was_and_says_whether_it_ended_early(tmp_path: Path) -> None:
    write_training(TRAINING, tmp_path)
    assert read_training(tmp_path) == TRAINING
    assert TRAINING.ended_early


@pytest.mark.parametrize("change", [{"steps": "many"}, {"scores": None}])
def test_the_record_of_another_version_is_none(tmp_path: Path, change: dict[str, Any]) -> None:
    assert read_training(tmp_path) is None
    write_training(TRAINING, tmp_path)
    file = tmp_path / "training.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert read_training(tmp_path) is None
