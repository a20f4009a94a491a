"""Variants small enough to build and to serve in a test."""

import csv
import shutil
from pathlib import Path

from handlers.backends.base import Placement
from handlers.handler import Handler, load_handler
from model_store.manifest import read_manifest
from paretoserve.builds.build import BuildRequest, build
from tests.conftest import BuiltOnce
from tests.tiny import TEXTS, tiny_checkpoint


def build_dense(folder: Path) -> Path:
    """A dense variant with the artifacts that are written by default; its checkpoint lies in `folder / "tiny"`."""
    (variant,) = build_tiny(folder, "dense")
    return variant


def build_tiny(folder: Path, *recipes: str, backends: tuple[str, ...] | None = None) -> list[Path]:
    """Variants of a tiny checkpoint, which lies in `folder / "tiny"`."""
    checkpoint = tiny_checkpoint(folder / "tiny")
    data = folder / "data.csv"
    with data.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((text, i % 2) for i, (text, _) in enumerate(TEXTS))])
    return build(
        BuildRequest(
            str(checkpoint), str(data), recipes, folder / "store", backends=backends, calibrate_on_evaluation=True
        )
    )


def shared_tiny(built_once: BuiltOnce, recipe: str, backend: str) -> Path:
    """The variant of a tiny checkpoint with the artifact of one backend, which all tests have together."""
    return built_once(f"{recipe}-{backend}", lambda folder: build_tiny(folder, recipe, backends=(backend,))[0])


def copy_of(variant: Path, folder: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(variant, folder))


def write_code(folder: Path, code: str) -> Path:
    """A folder with the user's own `code/inference.py`, beside whatever lies there."""
    (folder / "code").mkdir(parents=True, exist_ok=True)
    (folder / "code" / "inference.py").write_text(code)
    return folder


def opened(variant: Path, backend: str = "onnxruntime") -> Handler:
    return load_handler(variant, read_manifest(variant), backend, Placement())
