"""Prune the weights of the layers to zeros, little by little, while the others learn to do without them.

The schedule: Zhu and Gupta 2017, arXiv:1710.01878. That pruning little by little suffices for BERT, with distillation
and enough learning rate: Kurtic and Alistarh 2022, arXiv:2210.06384. Which matrices are pruned, and blocks of four
weights: Kurtic et al. 2022 (oBERT), arXiv:2203.07259.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.steps.base import StepInput, parameter, word
from recipes.steps.masks import KeptZeros, prunable, prune, zero_share
from recipes.steps.recovery import Recovery, lesson_of, recover_with
from recipes.steps.saliency import saliencies
from recipes.training.batches import RowBatches
from recipes.training.loop import Hooks
from recipes.work.progress import part_of

LEARNING_RATE = 1e-4

# Of all steps: from here on the zeros stay where they are, and the rest recovers.
PRUNED_AT = 2 / 3

# So often weights are pruned on the way, by what they matter for the answers to the texts of so many batches.
PRUNINGS, ASKED_BATCHES = 40, 8

# In percent: a share is met to the block only.
_ROUNDING = 0.05

# Weights of a block, by the word of a recipe.
BLOCK_SIZES = {"global": 1, "block4": 4}


@dataclass(frozen=True, slots=True)
class Sparse:
    """`percent` of the weights of all layers together become zero, one by one or in blocks."""

    name: ClassVar[str] = "sparse"
    uses_latency: ClassVar[bool] = False

    # From 5 on, as whoever writes 0.8 or 1.0 means a share.
    percent: float = parameter(5, 99)
    pattern: str = word("|".join(BLOCK_SIZES), "'global' or 'block4'", default="global")
    passes: float = parameter(0.01, 1000, default=4.0)

    def run(self, given: StepInput) -> Path:
        encoder, size = load_checkpoint(given.checkpoint), BLOCK_SIZES[self.pattern]
        weights = prunable(encoder)
        self._check(weights, size)
        how = Recovery(self.passes, LEARNING_RATE, since=PRUNED_AT)
        lesson = lesson_of(given, part_of(given.report, 0, 10), how.batch)
        through = round(PRUNED_AT * lesson.steps(how.passes))
        schedule = Schedule(zero_share(weights, size), self.percent / 100, through)
        recover_with(encoder, lesson, given, how, pruning(encoder, lesson.batches, size, schedule))
        save_checkpoint(encoder, given.work / "sparse")
        return given.work / "sparse"

    def _check(self, weights: Sequence[Tensor], size: int) -> None:
        found = 100 * zero_share(weights)
        if found > self.percent + _ROUNDING:
            raise RecipeError(
                f"sparse:{self.percent:g} asks for fewer zeros than the checkpoint has: {found:.1f} % of the weights "
                "of its layers are zero already; give a percentage above that, up to 99."
            )
        odd = [weight.shape[1] for weight in weights if weight.shape[1] % size]
        if odd:
            raise RecipeError(
                f"{self.pattern} needs layers whose widths are multiples of {size}, and one of the checkpoint is "
                f"{odd[0]} wide; write sparse:{self.percent:g}, which prunes weights one by one."
            )


@dataclass(frozen=True, slots=True)
class Schedule:
    """The share of zeros after so many steps: from `start` to `target`, which it reaches after `through` steps.

    It rises steeply at first, when there is much to spare, and ever less: with the third power of what lies ahead.
    """

    start: float
    target: float
    through: int

    def is_due(self, steps: int) -> bool:
        every = max(1, self.through // PRUNINGS)
        return steps == self.through or (steps < self.through and steps % every == 0)

    def share_after(self, steps: int) -> float:
        ahead = 1 - min(1.0, steps / self.through)
        return self.target + (self.start - self.target) * ahead**3


def pruning(encoder: PackedEncoder, batches: RowBatches, size: int, schedule: Schedule) -> Hooks[PackedEncoder]:
    """What prunes `encoder` on the way of a training on `batches`."""
    weights = prunable(encoder)
    zeros = KeptZeros(weights, size)

    def before_step(step: int) -> None:
        zeros.before_step()

    def after_step(step: int) -> None:
        zeros.after_step()
        if schedule.is_due(step + 1):
            asked = (batches(step + 1 + i) for i in range(ASKED_BATCHES))
            scores = saliencies(encoder, weights, asked, batches.seed + step, size)
            prune(weights, scores, schedule.share_after(step + 1), size)

    return Hooks(before_step, after_step)
