from pathlib import Path

import pytest

from model_store.errors import DamagedArtifact, UnsupportedManifest
from model_store.manifest import Manifest, Technique, sha256_of
from model_store.predictions import PREDICTIONS_FILE, Answers, Predictions, read_predictions, write_predictions

PREDICTIONS = Predictions(rows="ab", answers=["no", "yes"], backends={"torch": Answers(given=[0, 1, 1], wrong=[2])})


def manifest(predictions: str | None) -> Manifest:
    technique = Technique(recipe="dense")
    return Manifest(
        model="m", variant="dense", technique=technique, task_settings={}, max_tokens=64, predictions=predictions
    )


def test_predictions_come_back_as_they_were_written(tmp_path: Path) -> None:
    assert read_predictions(tmp_path, manifest(write_predictions(PREDICTIONS, tmp_path))) == PREDICTIONS
    assert read_predictions(tmp_path, manifest(None)) is None


def test_another_file_than_the_manifest_hashed_is_refused(tmp_path: Path) -> None:
    hashed = write_predictions(PREDICTIONS, tmp_path)
    file = tmp_path / PREDICTIONS_FILE
    file.write_bytes(file.read_bytes().replace(b"[2]", b"[1]"))
    with pytest.raises(DamagedArtifact, match=r"'predictions\.json' of variant .* is damaged; build it again"):
        read_predictions(tmp_path, manifest(hashed))
    file.unlink()
    with pytest.raises(DamagedArtifact, match="is missing"):
        read_predictions(tmp_path, manifest(hashed))


def test_what_is_hashed_and_no_predictions_is_refused(tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS_FILE).write_text("{}")
    with pytest.raises(UnsupportedManifest, match=r"cannot be read .*; build the variant again"):
        read_predictions(tmp_path, manifest(sha256_of(tmp_path / PREDICTIONS_FILE)))
