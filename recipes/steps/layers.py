"""Drop layers, and train those that stay to answer as all did.

Dropping layers of a fine-tuned encoder: Sanh et al. 2019 (DistilBERT, every other layer), arXiv:1910.01108; Sajjad et
al. 2020, arXiv:2004.03844, for which layers an encoder can do without.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import msgspec
from torch import Tensor

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from networks.encoder.slicing import everything, sliced
from recipes.data.tokens import load_tokenizer
from recipes.steps.base import StepInput, parameter
from recipes.steps.recovery import Recovery, recover
from recipes.training.device import training_device
from recipes.training.distillation import Distillation
from recipes.training.evaluation import Evaluation
from recipes.work.folder import write_whole
from recipes.work.progress import Progress, part_of

LEARNING_RATE = 1e-4

# Checks without a better one before the training ends: a pass and a half.
PATIENCE = 6

# Rows that layers are compared on.
COMPARED_ROWS = 500


@dataclass(frozen=True, slots=True)
class Layers:
    """`count` layers stay: those without which the answers change least go, one after the other."""

    name: ClassVar[str] = "layers"
    uses_latency: ClassVar[bool] = False

    count: int = parameter(1, 48)
    passes: float = parameter(0.01, 1000, default=4.0)

    def run(self, given: StepInput) -> Path:
        encoder = load_checkpoint(given.checkpoint)
        have = encoder.shape.layers
        if self.count > have:
            raise RecipeError(
                f"layers:{self.count} asks for more layers than the {have} that the checkpoint has; give from 1 to "
                f"{have}."
            )
        if self.count < have:
            kept = self._choice(encoder, replace(given, report=part_of(given.report, 0, 20)))
            encoder = sliced(encoder, [everything(encoder.shape)[layer] for layer in kept])
            recover(encoder, replace(given, report=_later(given.report)), self._recovery)
        save_checkpoint(encoder, given.work / "fewer")
        return given.work / "fewer"

    @property
    def _recovery(self) -> Recovery:
        return Recovery(self.passes, LEARNING_RATE, patience=PATIENCE)

    def _choice(self, encoder: PackedEncoder, given: StepInput) -> list[int]:
        """The layers that stay; a step that goes on finds them in its folder."""
        file = given.work / "kept.json"
        if not file.is_file():
            tokenizer = load_tokenizer(given.tokenizer, given.max_tokens)
            rows = Evaluation.of(tokenizer, given.validation.rows[:COMPARED_ROWS])
            write_whole(file, msgspec.json.encode(layers_to_keep(encoder, self.count, rows, given.report)))
        return msgspec.json.decode(file.read_bytes(), type=list[int])


def _later(report: Progress) -> Progress:
    """What follows on the choice."""
    return lambda what, done: report(what, 0.05 + 0.95 * done)


def layers_to_keep(encoder: PackedEncoder, count: int, rows: Evaluation, report: Progress) -> list[int]:
    """`count` layers, in their order: of all that are left, the one goes without which the answers change least."""
    encoder.to(training_device())
    answers = rows.logits(encoder)
    kept = list(range(encoder.shape.layers))
    for i in range(encoder.shape.layers - count):
        report(f"choosing layers, {len(kept)} left", i / (encoder.shape.layers - count))
        kept = min((_without(kept, layer) for layer in kept), key=lambda few: _change(encoder, few, rows, answers))
    return kept


def _without(layers: Sequence[int], layer: int) -> list[int]:
    return [one for one in layers if one != layer]


def _change(encoder: PackedEncoder, layers: Sequence[int], rows: Evaluation, answers: Tensor) -> float:
    """How far the answers of these layers alone are from `answers`, (texts, labels)."""
    few = sliced(encoder, [everything(encoder.shape)[layer] for layer in layers])
    return float(Distillation().soft_loss(rows.logits(few), answers))
