from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from model_store.errors import UnsupportedCheckpoint
from recipes.data.checkpoint import fetch_checkpoint


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert fetch_checkpoint(str(tmp_path)) == tmp_path


def test_pickles_are_never_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def snapshot_download(source: str, *, allow_patterns: list[str]) -> str:
        assert source == "org/model"
        assert "model.safetensors" in allow_patterns
        assert not any(pattern.endswith((".bin", ".pt", "*")) for pattern in allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert fetch_checkpoint("org/model") == tmp_path


def test_an_unreachable_hub_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(source: str, *, allow_patterns: list[str]) -> str:
        raise LocalEntryNotFoundError("Name or service not known\nmore")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(UnsupportedCheckpoint, match=r"'org/model'.*\(Name or service not known\); check the name"):
        fetch_checkpoint("org/model")


def test_a_name_that_the_hub_cannot_have_is_refused() -> None:
    with pytest.raises(UnsupportedCheckpoint, match="no folder here"):
        fetch_checkpoint("./not/a/folder")
