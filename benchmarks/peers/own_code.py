"""The peers' model as a variant's own code on our server, called as LitServe calls it: with a text, or with a list."""

import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from benchmarks.harness.places import RUNS
from benchmarks.peers.common import shared_model
from benchmarks.peers.common.peer import BATCHED, MAX_BATCH, ONE_BY_ONE, plain_body, plain_label
from benchmarks.peers.contestant import OPTIONS, OWN_CODE, Contestant
from paretoserve.hosts.process import running_server

CODE = """from pathlib import Path

from shared_model import SharedModel

BATCH_SIZE = {size}


def model_fn(model_dir):
    return SharedModel(Path(model_dir) / "model")


def predict_batch_fn(data, model):
    return [[one] for one in model([sent["inputs"] for sent in data])]
"""


def own_code(variant: Path) -> list[Contestant]:
    """Our server with this model as own code, in the configurations that a peer has."""
    return [
        Contestant(OWN_CODE, name, "/invocations", plain_body, plain_label, partial(_start, variant, size))
        for name, size in {ONE_BY_ONE: 1, BATCHED: MAX_BATCH}.items()
    ]


def _start(variant: Path, size: int, cores: Sequence[int], log_file: Path) -> AbstractContextManager[str]:
    folder = write_own_code(variant, RUNS / "own-code" / str(size), size)
    return running_server([str(folder)], log_file, OPTIONS, cores)


def write_own_code(variant: Path, folder: Path, size: int) -> Path:
    """The folder to serve, with the code and a link to the model."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "inference.py").write_text(CODE.format(size=size))
    shutil.copy(shared_model.__file__, folder / "code")
    (folder / "model").symlink_to(variant.resolve())
    return folder
