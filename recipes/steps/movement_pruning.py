"""Movement pruning: heads and feed-forward units that fine-tuning does not need are found, cut out and got over.

Three parts: a training with masks that find what is to stay, the cut, and a training of what was cut, which is smaller
and therefore faster. Both trainings ask the teacher.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar, Protocol

from torch import Tensor

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.counts import encoder_parameters, macs_per_token
from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import KeptLayer, sliced
from recipes.data.tokens import load_tokenizer, token_lengths
from recipes.steps.base import StepInput, parameter, word
from recipes.steps.movement.budget import ToBudget
from recipes.steps.movement.costs import CostOf, KeptLatencies, linear_costs
from recipes.steps.movement.limit import DESCRIBED, PATTERN, Budget, Pull, Quantity, read_limit
from recipes.steps.movement.masks import MaskedEncoder
from recipes.steps.movement.ranking import least_shape, shape_of, without_negligible
from recipes.steps.movement.report import write_report
from recipes.steps.movement.threshold import ByThreshold
from recipes.steps.recovery import Recovery, lesson_of, recover
from recipes.training.batches import RowBatch
from recipes.training.device import device_of, has_fast_bf16
from recipes.training.lesson import Lesson
from recipes.training.loop import Hooks, TrainingSettings, train
from recipes.work.progress import stretch

LEARNING_RATE = 5e-5

# Of what was cut; as in oBERT's recipes (Kurtic et al. 2022, arXiv:2203.07259).
RECOVERY_RATE = 8e-5

# Of all passes over the rows: in these the masks find what is to stay. As in the published recipe, two of five.
MASKED_SHARE = 0.4

# A measured time is not quite the sum that it is taken for, and what is cut then is cut a bit further.
_TRIES, _FURTHER = 8, 0.99

_COUNTED_TEXTS = 1000


class Pruning(Protocol):
    """How masks come to what is to stay."""

    masked: MaskedEncoder

    @property
    def score_rate(self) -> float:
        """The learning rate of the masks' scores."""

    @property
    def penalty(self) -> float | Tensor:
        """What is added to the loss of a step."""

    def before_step(self, step: int) -> None:
        """Set the masks for a step, from its number and the state of `masked`."""

    def after_step(self, step: int) -> None:
        """Look at what the step found."""


@dataclass(frozen=True, slots=True)
class Movement:
    name: ClassVar[str] = "movement"

    limit: str = word(PATTERN, DESCRIBED)
    passes: float = parameter(0.1, 1000, default=5)

    @property
    def uses_latency(self) -> bool:
        return self.limit.startswith("latency")

    def run(self, given: StepInput) -> Path:
        asked, encoder = read_limit(self.limit), load_checkpoint(given.checkpoint)
        finding = replace(given, work=given.work / "masked", report=stretch(given.report, 0.1, 0.6))
        if isinstance(asked, Budget):
            _check_least(asked, encoder.shape, _costs_in(asked.quantity, finding))
        lesson = lesson_of(given, stretch(given.report, 0, 0.1))
        kept = _Search(encoder, finding, lesson, lesson.steps(MASKED_SHARE * self.passes)).kept(asked)
        small = sliced(encoder, kept)
        recovering = replace(given, work=given.work / "recovered", report=stretch(given.report, 0.6, 1))
        recover(small, recovering, Recovery((1 - MASKED_SHARE) * self.passes, RECOVERY_RATE))
        done = given.work / "pruned"
        save_checkpoint(small, done)
        write_report(encoder.shape, kept, done / "report")
        return done


@dataclass(frozen=True, slots=True)
class _Search:
    """For what is to stay of an encoder: its weights are trained on the way. The state is kept in `given.work`."""

    encoder: PackedEncoder
    given: StepInput
    lesson: Lesson
    steps: int

    def kept(self, asked: Budget | Pull) -> list[KeptLayer]:
        """What is to stay.

        Raises:
            RecipeError: it turned out to cost more than was asked.
        """
        if isinstance(asked, Budget):
            return self._within(asked, _costs_in(asked.quantity, self.given))
        by_threshold = ByThreshold(self.encoder, asked.strength, self.steps)
        self._train(by_threshold)
        return by_threshold.kept()

    def _within(self, asked: Budget, cost_of: CostOf) -> list[KeptLayer]:
        whole = self.encoder.shape
        allowed = asked.share * cost_of(whole)
        to_budget = ToBudget(self.encoder, linear_costs(cost_of, whole, asked.share), asked.share, self.steps)
        self._train(to_budget)
        share = asked.share
        for _ in range(_TRIES):
            kept = without_negligible(to_budget.kept_at(share), to_budget.worths())
            excess = cost_of(shape_of(kept, whole)) / allowed
            if excess <= 1:
                break
            share *= _FURTHER / excess
        _check(asked, excess, "as measured")
        return kept

    def _train(self, pruning: Pruning) -> None:
        """Train the weights under the masks."""

        def loss(masked: MaskedEncoder, batch: RowBatch) -> Tensor:
            batch = batch.to(device_of(masked))
            return self.lesson.loss_of_logits(masked(**batch.inputs), batch) + pruning.penalty

        hooks: Hooks[MaskedEncoder] = Hooks(
            before_step=pruning.before_step,
            after_step=pruning.after_step,
            rates={"scores": pruning.score_rate / LEARNING_RATE},
        )
        work, report = self.given.work, self.given.report
        train(pruning.masked, self.lesson.batches, loss, self._settings(), work, report, hooks)

    def _settings(self) -> TrainingSettings:
        """The learning rate falls as if it went on to do so while what was cut recovers: late masks are learnt too."""
        return TrainingSettings(
            self.steps, LEARNING_RATE, lowest=1 - MASKED_SHARE, seed=self.given.seed, bf16=has_fast_bf16()
        )


def _check(asked: Budget, excess: float, what: str) -> None:
    """Refuse what costs `excess` times as much as was asked for.

    Raises:
        RecipeError: that is more than once.
    """
    if excess > 1:
        percent = 100 * asked.share
        raise RecipeError(
            f"movement cannot get to {asked.quantity}<={percent:g}%, only to {percent * excess:.1f} % ({what}); ask "
            "for that much, or leave out layers before."
        )


def _check_least(asked: Budget, shape: EncoderShape, cost_of: CostOf) -> None:
    excess = cost_of(least_shape(shape)) / (asked.share * cost_of(shape))
    _check(asked, excess, f"a head and 32 units in each of {shape.layers} layers")


def _costs_in(quantity: Quantity, given: StepInput) -> CostOf:
    """What the layers of an encoder cost: multiplications for a token, weights, or seconds for a text."""
    if quantity == "macs":
        tokens = _mean_tokens(given)
        return lambda shape: float(macs_per_token(shape, tokens))
    if quantity == "parameters":
        return lambda shape: float(encoder_parameters(shape))
    return KeptLatencies(given.work / "latencies.json", given.latency_s)


def _mean_tokens(given: StepInput) -> int:
    """Of the texts to train on."""
    tokenizer = load_tokenizer(given.tokenizer, given.max_tokens)
    texts = [(row.text, row.text_pair) for row in given.train.rows]
    return round(fmean(token_lengths(tokenizer, texts, _COUNTED_TEXTS)))
