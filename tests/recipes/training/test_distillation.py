from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from model_store.rows import Row
from recipes.training import distillation
from recipes.training.distillation import NO_LABEL, Distillation, teacher_logits
from recipes.work.progress import silent
from tests.tiny import PAIRS, TEXTS, packed_texts, tiny_checkpoint, torch_logits

EVERYTHING = (*TEXTS, *PAIRS)
ROWS = [Row(text, pair, 0) for text, pair in EVERYTHING]

LOGITS = torch.tensor([[1.0, -0.5, 0.2], [0.3, 2.0, -1.0]])
TAUGHT = torch.tensor([[2.0, 0.0, -1.0], [0.1, 1.0, 0.4]])


def softmax(logits: torch.Tensor) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
    powers = np.exp(logits.double().numpy())
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def soft_parts(temperature: float) -> list[float]:
    """The teacher's part of the loss of each text, by the formula."""
    student, teacher = softmax(LOGITS / temperature), softmax(TAUGHT / temperature)
    return [float(one) for one in temperature**2 * (teacher * np.log(teacher / student)).sum(axis=1)]


def test_the_loss_is_what_the_formula_says() -> None:
    hard = [-float(np.log(softmax(LOGITS)[i, target])) for i, target in enumerate((0, 2))]
    found = Distillation(weight=0.7, temperature=3.0).loss(LOGITS, torch.tensor([0, 2]), TAUGHT)
    assert found.item() == pytest.approx(0.3 * np.mean(hard) + 0.7 * np.mean(soft_parts(3.0)), rel=1e-5)


def test_of_a_text_without_a_label_only_the_teachers_part_counts() -> None:
    hard = -float(np.log(softmax(LOGITS)[1, 2]))
    found = Distillation(weight=0.7, temperature=3.0).loss(LOGITS, torch.tensor([NO_LABEL, 2]), TAUGHT)
    assert found.item() == pytest.approx(0.3 * hard / 2 + 0.7 * np.mean(soft_parts(3.0)), rel=1e-5)
    nobody = torch.tensor([NO_LABEL, NO_LABEL])
    alone = Distillation(weight=0.7, temperature=3.0).loss(LOGITS, nobody, TAUGHT)
    assert alone.item() == pytest.approx(0.7 * np.mean(soft_parts(3.0)), rel=1e-5)


def test_a_student_that_answers_as_its_teacher_has_no_soft_loss() -> None:
    assert Distillation().soft_loss(TAUGHT + 5.0, TAUGHT).item() == pytest.approx(0.0, abs=1e-6)


def test_the_teachers_answers_are_those_of_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "_PART", 4)
    teacher = tiny_checkpoint(tmp_path / "teacher")
    found = teacher_logits(teacher, ROWS, 64, tmp_path / "shared", silent)
    expected = torch.from_numpy(torch_logits(teacher, packed_texts(teacher, EVERYTHING)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_they_are_asked_for_once(tmp_path: Path) -> None:
    teacher, told = tiny_checkpoint(tmp_path / "teacher"), list[str]()
    first = teacher_logits(teacher, ROWS, 64, tmp_path, lambda what, done: told.append(what))
    assert set(told) == {"asking the teacher"}
    told.clear()
    assert torch.equal(teacher_logits(teacher, ROWS, 64, tmp_path, lambda what, done: told.append(what)), first)
    assert told == []


def test_other_rows_another_limit_and_another_teacher_are_asked_anew(tmp_path: Path) -> None:
    teacher, other = tiny_checkpoint(tmp_path / "teacher"), tiny_checkpoint(tmp_path / "other", seed=1)
    first = teacher_logits(teacher, ROWS, 64, tmp_path, silent)
    assert not torch.equal(teacher_logits(teacher, ROWS[::-1], 64, tmp_path, silent), first)
    assert not torch.equal(teacher_logits(teacher, ROWS, 5, tmp_path, silent), first)
    assert not torch.equal(teacher_logits(other, ROWS, 64, tmp_path, silent), first)
    assert torch.equal(teacher_logits(teacher, ROWS, 64, tmp_path, silent), first)


def test_a_kill_loses_only_the_part_that_was_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distillation, "_PART", 4)
    teacher = tiny_checkpoint(tmp_path / "teacher")

    def stop_late(what: str, done: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        teacher_logits(teacher, ROWS, 64, tmp_path, stop_late)
    (kept,) = tmp_path.glob("teacher.*/*")
    save_file({"logits": load_file(kept)["logits"] + 1.0}, kept)
    found = teacher_logits(teacher, ROWS, 64, tmp_path, silent)
    whole = teacher_logits(teacher, ROWS, 64, tmp_path / "elsewhere", silent)
    assert torch.equal(found[:4], whole[:4] + 1.0), "what was kept is not asked for again"
    assert torch.equal(found[4:], whole[4:])
