"""How a step trains what it has changed: to answer as the checkpoint did that the recipe began with."""

from dataclasses import dataclass, replace

from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import load_tokenizer
from recipes.steps.base import StepInput
from recipes.training.batches import RowBatches
from recipes.training.device import has_fast_bf16
from recipes.training.distillation import Distillation, teacher_logits
from recipes.training.evaluation import Evaluation
from recipes.training.lesson import Lesson
from recipes.training.loop import Checks, Hooks, TrainingSettings, train
from recipes.training.state import CurvePoint
from recipes.work.progress import Progress, stretch

BATCH = 32
CHECKS_PER_PASS = 4


@dataclass(frozen=True, slots=True)
class Recovery:
    """How an encoder is trained: `passes` over the rows at `learning_rate`, checked four times a pass.

    Of the checks from the share `since` of all steps on, the best gives the weights. With `patience` it ends after so
    many that bring nothing better.
    """

    passes: float
    learning_rate: float
    since: float = 0.0
    patience: int | None = None
    batch: int = BATCH


def lesson_of(given: StepInput, report: Progress, batch: int = BATCH, how: Distillation | None = None) -> Lesson:
    """The rows of a step, with its teacher's answers, which are asked for once for all steps of all recipes."""
    tokenizer = load_tokenizer(given.tokenizer, given.max_tokens)
    taught = None
    if given.teacher is not None:
        taught = teacher_logits(given.teacher, given.train.rows, given.max_tokens, given.shared, report)
    return Lesson(
        batches=RowBatches(tokenizer, given.train.rows, batch, given.seed),
        validation=Evaluation.of(tokenizer, given.validation.rows),
        taught=taught,
        distillation=how or Distillation(),
    )


def recover(
    encoder: PackedEncoder, given: StepInput, how: Recovery, hooks: Hooks[PackedEncoder] | None = None
) -> list[CurvePoint]:
    """Train `encoder` in place on the rows of a step; `hooks` are what the step does on the way.

    Returns the scores on the rows to choose by. The state is kept in the step's folder.
    """
    return recover_with(encoder, lesson_of(given, stretch(given.report, 0.0, 0.1), how.batch), given, how, hooks)


def recover_with(
    encoder: PackedEncoder,
    lesson: Lesson,
    given: StepInput,
    how: Recovery,
    hooks: Hooks[PackedEncoder] | None = None,
) -> list[CurvePoint]:
    """The same with a lesson that the step made by `lesson_of`, of batches as large as `how` says."""
    steps = lesson.steps(how.passes)
    settings = TrainingSettings(steps, how.learning_rate, seed=given.seed, bf16=has_fast_bf16())
    every = lesson.steps_of_part(CHECKS_PER_PASS)
    checks = Checks(lesson.accuracy, every, since=round(how.since * steps), patience=how.patience)
    report = stretch(given.report, 0.1, 1.0)
    return train(
        encoder, lesson.batches, lesson.loss, settings, given.work, report, replace(hooks or Hooks(), checks=checks)
    )
