"""One training loop for all that trains: killed and started again, it ends at the weights that it would have had."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from model_store.errors import RecipeError
from recipes.training.device import autocast, training_device
from recipes.training.state import CurvePoint, Record, TrainingState
from recipes.work.progress import Progress

Model = TypeVar("Model", bound=nn.Module)
Batch = TypeVar("Batch")

SAVE_EVERY_S = 60.0

_FIRST_STEPS = 5


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a model is trained: AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) for `steps` steps.

    The learning rate rises to `learning_rate` over the first `warm_up` (a share of the steps) and falls to `lowest` (a
    share of it) at the end, both in a straight line. Gradients are cut to a norm of `largest_gradient`. `seed` is for
    what is drawn on the way, dropout above all. `bf16` computes products in that precision; weights stay in fp32.
    """

    steps: int
    learning_rate: float
    warm_up: float = 0.1
    lowest: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    largest_gradient: float = 1.0
    seed: int = 0
    bf16: bool = False

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step `step`, counted from 0."""
        rising = max(1, round(self.warm_up * self.steps))
        left = (self.steps - step) / max(1, self.steps - rising)
        return self.learning_rate * min((step + 1) / rising, self.lowest + (1 - self.lowest) * left, 1.0)


@dataclass(frozen=True, slots=True)
class Checks(Generic[Model]):
    """`score` (more is better) is asked after every `every` steps and after the last one.

    The training ends with the weights of the best score from step `since` on, where a schedule has reached its target;
    of equal ones with the first. After `patience` scores that are no better than the best it ends early.
    """

    score: Callable[[Model], float]
    every: int
    since: int = 0
    patience: int | None = None


def _nothing(step: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hooks(Generic[Model]):
    """What a training does besides.

    `before_step` and `after_step` are called with the number of a step, from 0, around each change of the weights. What
    they do must follow from that number and the weights (buffers too), so that a training can be gone on with. `rates`
    are factors of the learning rate for weights by the end of their names; those are not decayed.
    """

    before_step: Callable[[int], None] = _nothing
    after_step: Callable[[int], None] = _nothing
    rates: Mapping[str, float] = field(default_factory=dict)
    checks: Checks[Model] | None = None


def train(
    model: Model,
    batch_of: Callable[[int], Batch],
    loss_of: Callable[[Model, Batch], Tensor],
    settings: TrainingSettings,
    work: Path,
    report: Progress,
    hooks: Hooks[Model] | None = None,
) -> list[CurvePoint]:
    """Train `model` in place, where torch computes fastest, and leave it in eval mode; what the checks found.

    `batch_of` is asked for the batch of a step by its number from 0, and must give the same one for the same number.
    `loss_of` may draw random numbers from torch and from nothing else: what torch draws in a step follows from the seed
    and the step's number. The state is kept in `work`, every minute and at the end; a training that finds it there goes
    on from it. On the same processor, with the same number of threads, it ends at the very same weights as one that was
    never interrupted. A GPU adds up in whatever order, so there the last digits may differ.

    Raises:
        RecipeError: `work` holds the state of another training, or the loss is no longer a number.
    """
    work.mkdir(parents=True, exist_ok=True)
    device = training_device()
    run = _Run(model.to(device), loss_of, settings, hooks or Hooks(), work)
    model.train()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        run.restore()
        while not run.is_done:
            run.advance(batch_of(run.record.step), report)
    run.take_best()
    model.eval()
    return run.record.curve


class _Run(Generic[Model, Batch]):
    """A training under way."""

    def __init__(
        self,
        model: Model,
        loss_of: Callable[[Model, Batch], Tensor],
        settings: TrainingSettings,
        hooks: Hooks[Model],
        work: Path,
    ) -> None:
        self._model, self._loss_of, self._settings, self._hooks = model, loss_of, settings, hooks
        groups = _groups(model, settings, hooks.rates)
        # Fused, a change of the weights takes a sixth of the time on a CPU.
        self._optimizer = torch.optim.AdamW(groups, settings.learning_rate, betas=settings.betas, fused=True)
        self._state = TrainingState(work / "training.safetensors", msgspec.json.encode(settings).decode())
        self.record, self._best = Record(), dict[str, Tensor]()
        self._saved_s, self._since = time.monotonic(), (0, time.monotonic())

    @property
    def is_done(self) -> bool:
        return self.record.has_ended or self.record.step >= self._settings.steps

    def restore(self) -> None:
        self.record, self._best = self._state.restore(self._model, self._optimizer)
        self._since = (self.record.step, time.monotonic())

    def advance(self, batch: Batch, report: Progress) -> None:
        """Do one step, with what follows on it."""
        step, record = self.record.step, self.record
        torch.manual_seed(_seed_of(self._settings.seed, step))
        self._hooks.before_step(step)
        kept = record.losses if self._hooks.checks else []
        record.losses = [*kept, self._change_weights(batch, step)]
        self._hooks.after_step(step)
        record.step = step + 1
        self._check()
        if time.monotonic() - self._saved_s >= SAVE_EVERY_S or self.is_done:
            self._state.save(self._model, self._best, self._optimizer, record)
            self._saved_s = time.monotonic()
        report(self._described(), 1.0 if self.is_done else record.step / self._settings.steps)

    def _change_weights(self, batch: Batch, step: int) -> float:
        """Change the weights once; the loss before."""
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * self._settings.learning_rate_at(step)
        self._optimizer.zero_grad()
        with autocast(self._model, self._settings.bf16):
            loss = self._loss_of(self._model, batch)
        if not math.isfinite(value := loss.item()):
            raise RecipeError(f"The loss is {value} at step {step}: the training diverged; give a lower learning rate.")
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._model.parameters(), self._settings.largest_gradient)
        self._optimizer.step()
        return value

    def _check(self) -> None:
        """Ask for the score where it is time, and keep the weights where it is the best so far."""
        checks, record = self._hooks.checks, self.record
        is_last = record.step >= self._settings.steps
        if checks is None or not (is_last or record.step % checks.every == 0):
            return
        score = checks.score(self._model)
        record.curve.append(CurvePoint(record.step, sum(record.losses) / len(record.losses), score))
        record.losses = []
        if record.step < checks.since and not is_last:
            return
        if record.best is None or score > record.curve[record.best].score:
            record.best = len(record.curve) - 1
            self._best = {name: weight.detach().clone() for name, weight in self._model.state_dict().items()}
        elif checks.patience is not None and len(record.curve) - 1 - record.best >= checks.patience:
            record.has_ended = True

    def take_best(self) -> None:
        if self._best:
            self._model.load_state_dict(self._best)

    def _described(self) -> str:
        """`step 120 of 900, loss 0.31, validation 91.20 %, 14 min left`."""
        record, settings = self.record, self._settings
        words = [f"step {record.step} of {settings.steps}"]
        # Right after a check there is no loss since then.
        losses = record.losses[-1:] or [point.loss for point in record.curve[-1:]]
        words += [f"loss {loss:.2f}" for loss in losses]
        words += [f"validation {100 * record.curve[-1].score:.2f} %"] if record.curve else []
        return ", ".join([*words, *self._time_left()])

    def _time_left(self) -> list[str]:
        """Nothing yet after the first steps, which take longer."""
        begun_at, begun_s = self._since
        done = self.record.step - begun_at
        if done < _FIRST_STEPS:
            return []
        left_s = (time.monotonic() - begun_s) / done * (self._settings.steps - self.record.step)
        return [f"{left_s / 60:.0f} min left" if left_s >= 60 else f"{left_s:.0f} s left"]


def _seed_of(seed: int, step: int) -> int:
    """A seed of its own for each step of each training; torch takes only the low 32 bits of one."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def _groups(model: nn.Module, settings: TrainingSettings, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """The weights that are trained, by the factor of their learning rate."""

    def rate_of(name: str) -> float:
        return next((rate for end, rate in rates.items() if name.endswith(end)), 1.0)

    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    found = {rate: [weight for name, weight in trained if rate_of(name) == rate] for rate in (1.0, *rates.values())}
    return [
        {"params": weights, "rate": rate, "weight_decay": settings.weight_decay if rate == 1.0 else 0.0}
        for rate, weights in found.items()
        if weights
    ]
