from pathlib import Path

import pytest
import torch
from torch.nn import functional

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from recipes.data.tokens import load_tokenizer
from recipes.training.batches import RowBatches
from recipes.training.distillation import Distillation
from recipes.training.evaluation import Evaluation
from recipes.training.lesson import Lesson
from tests.tiny import TEXTS, tiny_checkpoint

ROWS = [Row(text, None, i % 2) for i, (text, _) in enumerate(TEXTS)]
TAUGHT = torch.arange(12.0).reshape(6, 2) ** 1.5


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path)


def lesson_in(checkpoint: Path, taught: torch.Tensor | None = None) -> Lesson:
    tokenizer = load_tokenizer(checkpoint / "tokenizer.json", 64)
    return Lesson(
        RowBatches(tokenizer, ROWS, 4, seed=0), Evaluation.of(tokenizer, ROWS), taught, Distillation(0.5, 2.0)
    )


@pytest.mark.parametrize(("passes", "steps"), [(3, 6), (0.5, 1), (0.0, 1), (1.6, 3)])
def test_passes_are_steps_and_one_at_least(checkpoint: Path, passes: float, steps: int) -> None:
    assert lesson_in(checkpoint).steps(passes) == steps


def test_a_last_part_of_a_pass_is_not_of_a_step_or_two(checkpoint: Path) -> None:
    tokenizer = load_tokenizer(checkpoint / "tokenizer.json", 64)
    lesson = Lesson(RowBatches(tokenizer, ROWS * 3, 2, seed=0), Evaluation.of(tokenizer, ROWS))
    assert lesson.batches.per_pass == 9
    assert [lesson.steps_of_part(parts) for parts in (1, 4, 5, 20)] == [9, 3, 2, 1]


def test_without_a_teacher_labels_alone_teach(checkpoint: Path) -> None:
    lesson, encoder = lesson_in(checkpoint), load_checkpoint(checkpoint)
    batch = lesson.batches(0)
    expected = functional.cross_entropy(encoder(**batch.inputs), batch.targets)
    assert torch.equal(lesson.loss(encoder, batch), expected)


def test_each_text_is_taught_the_teachers_answer_to_itself(checkpoint: Path) -> None:
    lesson, encoder = lesson_in(checkpoint, TAUGHT), load_checkpoint(checkpoint)
    batch = lesson.batches(1)
    taught = torch.stack([TAUGHT[row] for row in batch.rows.tolist()])
    expected = Distillation(0.5, 2.0).loss(encoder(**batch.inputs), batch.targets, taught)
    assert torch.equal(lesson.loss(encoder, batch), expected)
    shuffled = lesson_in(checkpoint, TAUGHT.flip(0))
    assert not torch.equal(shuffled.loss(encoder, batch), expected)


def test_accuracy_is_that_of_the_rows_to_choose_by(checkpoint: Path) -> None:
    lesson, encoder = lesson_in(checkpoint), load_checkpoint(checkpoint)
    right = lesson.validation.logits(encoder).argmax(1) == torch.tensor([row.target for row in ROWS])
    assert lesson.accuracy(encoder) == pytest.approx(right.sum().item() / 6)
