from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty folders where measured speeds are kept: the user's own, and below it that for temporary files."""
    folder = tmp_path / "caches"
    (folder / "temporary").mkdir(parents=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder / "temporary"))
    return folder
