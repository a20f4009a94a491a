"""Drop layers, and train those that stay to answer as all did.

Layers at even distances stay, as in DistilBERT: Sanh et al. 2019, arXiv:1910.01108. Other choices are compared by
Sajjad et al. 2020, arXiv:2004.03844.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import everything, sliced
from recipes.steps.base import StepInput, parameter
from recipes.steps.recovery import Recovery, recover

LEARNING_RATE = 1e-4

# Checks without a better one before the training ends: a pass and a half.
PATIENCE = 6


@dataclass(frozen=True, slots=True)
class Layers:
    """`count` layers stay, at even distances; the first and the last are among them."""

    name: ClassVar[str] = "layers"
    uses_latency: ClassVar[bool] = False

    count: int = parameter(1, 48)
    passes: float = parameter(0.01, 1000, default=4.0)

    def shape_after(self, largest: EncoderShape) -> EncoderShape:
        have = largest.layers
        if self.count > have:
            raise RecipeError(
                f"layers:{self.count} asks for more layers than the {have} that the checkpoint has; give from 1 to "
                f"{have}."
            )
        kept = evenly_spaced(have, self.count)
        return replace(
            largest,
            heads=tuple(largest.heads[layer] for layer in kept),
            units=tuple(largest.units[layer] for layer in kept),
        )

    def run(self, given: StepInput) -> Path:
        encoder = load_checkpoint(given.checkpoint)
        have = encoder.shape.layers
        if self.shape_after(encoder.shape).layers < have:
            kept = evenly_spaced(have, self.count)
            encoder = sliced(encoder, [everything(encoder.shape)[layer] for layer in kept])
            recover(encoder, given, Recovery(self.passes, LEARNING_RATE, patience=PATIENCE))
        save_checkpoint(encoder, given.work / "fewer")
        return given.work / "fewer"


def evenly_spaced(have: int, count: int) -> list[int]:
    """`count` of `have` layers, from the first to the last; the first, where it is one.

    Those without which the answers change most are the other choice: tried on SST-2 (MiniLM, half of the layers), they
    were ahead before the training and behind after a short one, with the rows in either of two orders. To learn the
    hidden states of the layers that stay, too, brought nothing.
    """
    return [round(place * (have - 1) / max(1, count - 1)) for place in range(count)]
