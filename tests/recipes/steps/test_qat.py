from pathlib import Path

import pytest
import torch

from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint, save_checkpoint
from networks.encoder.modules import PackedEncoder
from recipes.data.tokens import load_tokenizer
from recipes.steps.base import StepInput
from recipes.steps.qat import Qat
from recipes.training.batches import row_batch
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS * 8))


def given(checkpoint: Path, teacher: Path, tmp_path: Path) -> StepInput:
    work = tmp_path / "work"
    work.mkdir()
    return StepInput(
        checkpoint=checkpoint,
        tokenizer=teacher / "tokenizer.json",
        max_tokens=64,
        train=Split("films", "train", ROWS),
        validation=Split("films", "validation", ROWS[:6]),
        teacher=teacher,
        seed=0,
        work=work,
        shared=tmp_path / "shared",
        latency_s=lambda shape: 0.0,
        report=lambda what, done: None,
    )


@pytest.mark.timeout(120)
def test_zeros_of_a_pruned_checkpoint_stay_and_the_rest_is_trained(tmp_path: Path) -> None:
    teacher = tiny_checkpoint(tmp_path / "tiny", shape=tiny_shape(heads=(2, 1), units=(64, 48)))
    before = load_checkpoint(teacher)
    name = "bert.encoder.layer.1.output.dense.weight"
    weight = before.get_parameter(name)
    weight.data[torch.rand(weight.shape, generator=torch.Generator().manual_seed(0)) < 0.7] = 0.0
    save_checkpoint(before, tmp_path / "sparse")
    after = load_checkpoint(Qat(4.0).run(given(tmp_path / "sparse", teacher, tmp_path)))
    assert after.shape == before.shape
    found = after.get_parameter(name)
    assert torch.equal(found != 0, weight != 0)
    assert not torch.equal(found, weight)
    assert not torch.equal(after.classifier.weight, before.classifier.weight)


@pytest.mark.timeout(120)
def test_the_student_comes_nearer_to_the_teacher(tmp_path: Path) -> None:
    teacher = tiny_checkpoint(tmp_path / "tiny")
    student = tiny_checkpoint(tmp_path / "student", seed=1)
    trained = Qat(40.0).run(given(student, teacher, tmp_path))
    batch = row_batch(load_tokenizer(teacher / "tokenizer.json", 64), ROWS[:6])

    def answers(encoder: PackedEncoder) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = encoder(**batch.inputs)
            return logits.softmax(-1)

    expected = answers(load_checkpoint(teacher))
    far, near = (float((answers(load_checkpoint(one)) - expected).abs().mean()) for one in (student, trained))
    assert near < far
