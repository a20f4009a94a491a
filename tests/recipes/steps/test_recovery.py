from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import Weights
from recipes.steps.base import StepInput
from recipes.steps.recovery import Recovery, lesson_of, recover
from recipes.training import loop
from recipes.training.distillation import teacher_logits
from recipes.training.loop import Hooks
from recipes.work.progress import Progress, silent
from tests.tiny import TEXTS, tiny_checkpoint

ROWS = tuple(Row(text, None, i % 2) for i, (text, _) in enumerate(TEXTS * 4))
HOW = Recovery(passes=4, learning_rate=1e-3, batch=4)


class Killed(Exception):
    pass


@dataclass
class Killer:
    """A progress that kills, or does not, and what it was told."""

    at: float = 2.0
    told: list[float] = field(default_factory=list)

    def __call__(self, what: str, done: float) -> None:
        self.told.append(done)
        if done >= self.at:
            raise Killed


@pytest.fixture
def given(tmp_path: Path) -> StepInput:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    return StepInput(
        checkpoint=checkpoint,
        tokenizer=checkpoint / "tokenizer.json",
        max_tokens=64,
        train=Split("tiny", "train", ROWS),
        validation=Split("tiny", "validation", ROWS[:6]),
        teacher=tiny_checkpoint(tmp_path / "teacher", seed=1),
        seed=0,
        work=tmp_path / "work",
        shared=tmp_path / "shared",
        latency_s=lambda shape: 0.0,
        report=silent,
    )


def recovered(given: StepInput, report: Progress = silent, how: Recovery = HOW) -> Weights:
    encoder = load_checkpoint(given.checkpoint)
    recover(encoder, replace(given, report=report), how)
    return encoder.state_dict()


def test_a_lesson_has_the_teachers_answers_to_the_rows_of_the_step(given: StepInput) -> None:
    lesson = lesson_of(given, silent)
    assert given.teacher is not None
    expected = teacher_logits(given.teacher, ROWS, 64, given.work, silent)
    assert lesson.taught is not None
    assert torch.equal(lesson.taught, expected)
    assert lesson_of(replace(given, teacher=None), silent).taught is None


def test_it_learns_to_answer_as_the_teacher(given: StepInput) -> None:
    lesson, encoder = lesson_of(given, silent, batch=24), load_checkpoint(given.checkpoint)
    with torch.inference_mode():
        before = lesson.loss(encoder, lesson.batches(0)).item()
    recover(encoder, given, replace(HOW, passes=8))
    with torch.inference_mode():
        assert lesson.loss(encoder, lesson.batches(0)).item() < 0.9 * before


def test_it_is_checked_four_times_a_pass_and_after_the_last_step(given: StepInput) -> None:
    encoder = load_checkpoint(given.checkpoint)
    curve = recover(encoder, given, Recovery(passes=1.2, learning_rate=1e-3, batch=3))
    assert [point.step for point in curve] == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("kill_at", [0.3, 0.7])
def test_interrupted_it_ends_at_the_same_weights(
    given: StepInput, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill_at: float
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY_S", 0.0)
    expected = recovered(replace(given, work=tmp_path / "whole"))
    with pytest.raises(Killed):
        recovered(given, Killer(kill_at))
    again = Killer()
    found = recovered(given, again)
    assert again.told[0] > kill_at, "it began anew"
    assert again.told[-1] == 1.0
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_hooks_of_the_step_are_called(given: StepInput) -> None:
    called: list[int] = []
    recover(load_checkpoint(given.checkpoint), given, replace(HOW, passes=1), Hooks(after_step=called.append))
    assert called == [0, 1, 2, 3, 4, 5]
