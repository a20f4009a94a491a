"""What a fine-tuning is given, and what it is called after."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from model_store.rows import Row, Split
from recipes.data.checkpoint import checkpoint_hashes
from recipes.finetuning.labels import Labels
from recipes.work.folder import fingerprint


class FinetuneSettings(msgspec.Struct, frozen=True):
    """`epochs` are passes over all rows; texts are cut at `max_tokens`.

    `patience` ends the training after so many checks, four an epoch, that bring nothing better. `distillation_weight`
    and `temperature` are as in `recipes.training.distillation.Distillation`; without a teacher they mean nothing.
    """

    epochs: float
    batch: int
    learning_rate: float
    max_tokens: int = 128
    seed: int = 0
    patience: int | None = None
    distillation_weight: float = 0.9
    temperature: float = 2.0


@dataclass(frozen=True, slots=True)
class FinetuneInput:
    """`checkpoint` is the pretrained encoder, None for a small one that begins with nothing.

    The targets of rows are indices of `labels`. `teacher` is a checkpoint that answers beside the labels, for
    `unlabelled` alone.
    """

    checkpoint: Path | None
    labels: Labels
    train: Split
    evaluation: Split
    settings: FinetuneSettings
    teacher: Path | None = None
    unlabelled: tuple[Row, ...] = ()

    def fingerprint(self) -> str:
        """A name for all that determines the result: a training of the same name goes on."""
        checkpoints = [checkpoint_hashes(one) if one else None for one in (self.checkpoint, self.teacher)]
        return fingerprint(checkpoints, self.labels, self.train, self.evaluation, self.unlabelled, self.settings)
