"""A tiny model's store, built once for all tests of this package by the real `build`."""

from pathlib import Path

import pytest

from paretoserve.builds.build import BuildRequest, build
from tests.conftest import BuiltOnce
from tests.tiny import TEXTS, tiny_checkpoint


def write_rows(file: Path) -> Path:
    """Labelled rows; a quote at the start of a field must survive."""
    rows = [f'"{text}\t{i % 2}' if i == 0 else f"{text}\t{i % 2}" for i, (text, _) in enumerate(TEXTS)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")
    return file


@pytest.fixture(scope="session")
def tiny_data(built_once: BuiltOnce) -> Path:
    return built_once("data", lambda folder: write_rows(folder / "dev.tsv"))


@pytest.fixture(scope="session")
def tiny_store(built_once: BuiltOnce, tiny_data: Path) -> Path:
    def build_store(folder: Path) -> Path:
        checkpoint = tiny_checkpoint(folder / "tiny")
        build(BuildRequest(str(checkpoint), str(tiny_data), ("dense",), folder / "store"))
        return folder / "store"

    return built_once("store", build_store)
