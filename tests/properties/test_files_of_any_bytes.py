"""Files that are not JSON, or not even text, are refused by an error of our tree; what was kept is made again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from handlers.published_config import config_labels
from handlers.tasks.text_classification import TextClassification
from model_store import machine_cache
from model_store.errors import ParetoServeError
from model_store.manifest import MANIFEST_FILE, read_manifest
from networks.config import read_shape
from paretoserve.builds.auto.record import read_record
from paretoserve.candidates import speed_cache
from recipes.data.rows import load_data
from recipes.finetuning.record import TRAINING_FILE, read_training
from serving.calibration import kept

NOT_JSON = (b"", b"{", b'{"\xff\xfe": 1}', b'"\xff"', b"\x00\xff", b"[1]", b'{"schema": 2, "model": "\xff"}')

Reader = Callable[[Path], object]

REFUSED: dict[str, Reader] = {
    MANIFEST_FILE: lambda file: read_manifest(file.parent),
    "config.json": lambda file: read_shape(file.parent),
    "config.json of own code": lambda file: config_labels(file.parent),
    "rows.jsonl": lambda file: load_data(str(file), TextClassification(("negative", "positive")).target),
}


@pytest.mark.parametrize("content", NOT_JSON)
@pytest.mark.parametrize("name", REFUSED)
def test_a_file_of_the_user_is_refused(name: str, content: bytes, tmp_path: Path) -> None:
    file = tmp_path / name.split(" ", 1)[0]
    file.write_bytes(content)
    with pytest.raises(ParetoServeError) as refused:
        REFUSED[name](file)
    assert file.name in str(refused.value) or tmp_path.name in str(refused.value)


@pytest.mark.parametrize("content", NOT_JSON)
def test_what_was_kept_of_trainings_and_tries_is_none(content: bytes, tmp_path: Path) -> None:
    for name in (TRAINING_FILE, "record.json"):
        (tmp_path / name).write_bytes(content)
    assert read_training(tmp_path) is None
    assert read_record(tmp_path / "record.json", "key") is None


@pytest.mark.parametrize("content", NOT_JSON)
def test_what_was_measured_on_this_machine_is_measured_again(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for kind in (speed_cache.KIND, kept.KIND):
        assert machine_cache.write(kind, "key", content)
    assert speed_cache.kept_speed("key") is None
    assert kept.kept_calibration("key") is None
