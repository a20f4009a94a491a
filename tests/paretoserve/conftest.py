"""A tiny model's store, built once for all tests of this package by the real `build`."""

from pathlib import Path

import pytest

from paretoserve.builds.build import BuildRequest, build
from tests.tiny import TEXTS, tiny_checkpoint


def write_rows(file: Path) -> Path:
    """Labelled rows; a quote at the start of a field must survive."""
    rows = [f'"{text}\t{i % 2}' if i == 0 else f"{text}\t{i % 2}" for i, (text, _) in enumerate(TEXTS)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")
    return file


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("data") / "dev.tsv")


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    store = tmp_path_factory.mktemp("store")
    checkpoint = tiny_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny")
    build(BuildRequest(str(checkpoint), str(tiny_data), ("dense",), store))
    return store
