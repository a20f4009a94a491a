"""One training loop for all that trains: killed and started again, it ends at the weights that it would have had."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import torch
from torch import Tensor, nn

from recipes.training.state import TrainingState
from recipes.work.progress import Progress

Model = TypeVar("Model", bound=nn.Module)
Batch = TypeVar("Batch")

SAVE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a model is trained: AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) for `steps` steps.

    The learning rate rises to `learning_rate` over the first `warm_up` (a share of the steps) and falls to 0 at the
    end, both in a straight line. Gradients are cut to a norm of `largest_gradient`. `seed` is for what is drawn on the
    way, dropout above all.
    """

    steps: int
    learning_rate: float
    warm_up: float = 0.1
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    largest_gradient: float = 1.0
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        rising = max(1, round(self.warm_up * self.steps))
        share = min((step + 1) / rising, (self.steps - step) / max(1, self.steps - rising))
        return self.learning_rate * min(share, 1.0)


def train(
    model: Model,
    batch_of: Callable[[int], Batch],
    loss_of: Callable[[Model, Batch], Tensor],
    settings: TrainingSettings,
    work: Path,
    report: Progress,
) -> None:
    """Train `model` in place, and leave it in eval mode.

    `batch_of` is asked for the batch of a step by its number from 0, and must give the same one for the same number.
    `loss_of` may draw random numbers from torch and from nothing else. The state is kept in `work`, every
    minute and at the end; a training that finds it there goes on from it. On the same machine, with the same
    number of threads, it ends at the very same weights as one that was never interrupted.

    Raises:
        RecipeError: `work` holds the state of another training.
    """
    work.mkdir(parents=True, exist_ok=True)
    state = TrainingState(work / "training.safetensors", msgspec.json.encode(settings).decode())
    optimizer = torch.optim.AdamW(
        model.parameters(), settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay
    )
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        saved_s = time.monotonic()
        for step in range(state.restore(model, optimizer), settings.steps):
            loss = _advance(model, optimizer, loss_of(model, batch_of(step)), settings, step)
            if time.monotonic() - saved_s >= SAVE_EVERY_S or step + 1 == settings.steps:
                state.save(model, optimizer, step + 1)
                saved_s = time.monotonic()
            report(f"step {step + 1} of {settings.steps}, loss {loss:.2f}", (step + 1) / settings.steps)
    model.eval()


def _advance(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, settings: TrainingSettings, step: int
) -> float:
    """Change the weights once; the loss before."""
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate_at(step)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), settings.largest_gradient)
    optimizer.step()
    return loss.item()
