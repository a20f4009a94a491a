"""A fine-tuning done: a network, rows and perhaps a teacher become a checkpoint and a record of how."""

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from torch import Tensor

from model_store.manifest import TOKENIZER_FILE
from model_store.rows import Row
from networks.checkpoint import save_checkpoint
from networks.config import read_shape
from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import load_tokenizer
from recipes.data.validation import split_off_validation
from recipes.finetuning.beginning import Beginning
from recipes.finetuning.labels import teacher_order
from recipes.finetuning.record import Rows, Training, write_training
from recipes.finetuning.scores import Scores, scores_of
from recipes.finetuning.settings import FinetuneInput
from recipes.training.batches import RowBatches
from recipes.training.device import has_fast_bf16, training_device
from recipes.training.distillation import Distillation, teacher_logits
from recipes.training.evaluation import Evaluation
from recipes.training.lesson import Lesson
from recipes.training.loop import Checks, Hooks, TrainingSettings, train
from recipes.training.state import CurvePoint
from recipes.work.folder import Clock
from recipes.work.progress import Progress, renamed, stretch

CHECKS_PER_EPOCH = 4

_VERSIONS = ("paretoserve", "torch", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class Finetuned:
    """The trained network, its tokenizer's file, and what there is to say of it."""

    encoder: PackedEncoder
    tokenizer: Path
    training: Training

    def write(self, folder: Path) -> None:
        """The checkpoint, as `paretoserve build` takes it, with the record."""
        save_checkpoint(self.encoder, folder)
        (folder / TOKENIZER_FILE).write_bytes(self.tokenizer.read_bytes())
        write_training(self.training, folder)


def finetune(given: FinetuneInput, beginning: Beginning, work: Path, report: Progress) -> Finetuned:
    """Train the network that it begins with; of all checks on the validation rows the best gives the weights.

    The state is kept in `work`: killed and started again, it goes on and ends at the same weights.

    Raises:
        UnsupportedCheckpoint: the teacher cannot be read, or knows other labels.
        DataError: there are too few rows.
    """
    clock = Clock(work / "seconds")
    told = clock.around(report)
    lesson = _lesson(given, beginning, work, stretch(told, 0.0, 0.1 if given.teacher else 0.0))
    settings = TrainingSettings(
        lesson.steps(given.settings.epochs),
        given.settings.learning_rate,
        seed=given.settings.seed,
        bf16=has_fast_bf16(),
    )
    every = lesson.steps_of_part(CHECKS_PER_EPOCH)
    hooks = Hooks(checks=Checks(lesson.accuracy, every, patience=given.settings.patience))
    training = stretch(told, 0.1 if given.teacher else 0.0, 0.98)
    curve = train(beginning.encoder, lesson.batches, lesson.loss, settings, work, training, hooks)
    scores = _scores(given, beginning, stretch(told, 0.98, 1.0))
    record = _record(given, beginning, lesson, settings, curve, scores, clock.seconds())
    return Finetuned(beginning.encoder, beginning.tokenizer, record)


def _lesson(given: FinetuneInput, beginning: Beginning, work: Path, report: Progress) -> Lesson:
    kept, validation = split_off_validation(given.train, given.settings.seed)
    rows = (*kept.rows, *given.unlabelled)
    max_tokens = _max_tokens(given, beginning)
    tokenizer = load_tokenizer(beginning.tokenizer, max_tokens)
    return Lesson(
        batches=RowBatches(tokenizer, rows, given.settings.batch, given.settings.seed),
        validation=Evaluation.of(tokenizer, validation.rows),
        taught=_taught(given, rows, work, report),
        distillation=Distillation(given.settings.distillation_weight, given.settings.temperature),
    )


def _taught(given: FinetuneInput, rows: tuple[Row, ...], work: Path, report: Progress) -> Tensor | None:
    """The teacher's answers, in the order of our labels."""
    if given.teacher is None:
        return None
    order = teacher_order(given.teacher.name, read_shape(given.teacher).labels, given.labels)
    return teacher_logits(given.teacher, rows, given.settings.max_tokens, work, report)[:, order]


def _max_tokens(given: FinetuneInput, beginning: Beginning) -> int:
    return min(given.settings.max_tokens, beginning.encoder.shape.max_tokens)


def _scores(given: FinetuneInput, beginning: Beginning, report: Progress) -> Scores:
    rows = given.evaluation.rows
    tokenizer = load_tokenizer(beginning.tokenizer, _max_tokens(given, beginning))
    logits = Evaluation.of(tokenizer, rows).logits(beginning.encoder, renamed(report, "evaluating"))
    return scores_of(logits.argmax(1).tolist(), [row.target for row in rows], len(given.labels))


def _record(
    given: FinetuneInput,
    beginning: Beginning,
    lesson: Lesson,
    settings: TrainingSettings,
    curve: list[CurvePoint],
    scores: Scores,
    seconds: float,
) -> Training:
    validation = len(lesson.validation.texts)
    return Training(
        fingerprint=given.fingerprint(),
        checkpoint=given.checkpoint.resolve().name if given.checkpoint else None,
        drawn=beginning.drawn,
        teacher=given.teacher.resolve().name if given.teacher else None,
        labels=given.labels,
        rows=Rows(
            dataset=given.train.dataset,
            train=len(given.train.rows) - validation,
            validation=validation,
            unlabelled=len(given.unlabelled),
            evaluation=given.evaluation.split,
        ),
        settings=given.settings,
        steps=settings.steps,
        best_step=max(curve, key=lambda point: point.score).step,
        curve=curve,
        scores=scores,
        seconds=round(seconds, 1),
        device=str(training_device()),
        bf16=settings.bf16,
        versions={"python": platform.python_version()} | {name: version(name) for name in _VERSIONS},
    )
