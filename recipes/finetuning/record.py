"""`training.json` beside a checkpoint: how it was trained, and how good it is."""

from pathlib import Path

import msgspec

from recipes.finetuning.scores import Scores
from recipes.finetuning.settings import FinetuneSettings
from recipes.training.state import CurvePoint

TRAINING_FILE = "training.json"


class Rows(msgspec.Struct, frozen=True):
    """How many rows of `dataset` were used, and for what. `evaluation` is the name of the split for the scores."""

    dataset: str
    train: int
    validation: int
    unlabelled: int
    evaluation: str


class Training(msgspec.Struct, frozen=True):
    """`fingerprint` names all that determines the result. `checkpoint` is None for the small encoder from nothing, and
    `drawn` are the parts of the head that the checkpoint did not have.

    `curve` has a point for each check: the mean loss since the one before, and the accuracy on the validation rows.
    The weights are those of step `best_step`. `scores` are of the evaluation split, asked once, at the end, in fp32.
    """

    fingerprint: str
    checkpoint: str | None
    drawn: tuple[str, ...]
    teacher: str | None
    labels: tuple[str, ...]
    rows: Rows
    settings: FinetuneSettings
    steps: int
    best_step: int
    curve: list[CurvePoint]
    scores: Scores
    seconds: float
    device: str
    bf16: bool
    versions: dict[str, str]

    @property
    def ended_early(self) -> bool:
        return self.curve[-1].step < self.steps


def write_training(training: Training, folder: Path) -> None:
    (folder / TRAINING_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(training), indent=2) + b"\n")


def read_training(folder: Path) -> Training | None:
    """What was trained into a folder, or None where it was something else, or another version."""
    try:
        return msgspec.json.decode((folder / TRAINING_FILE).read_bytes(), type=Training)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
