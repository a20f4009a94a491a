from pathlib import Path

import pytest
import torch

from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.encoder.prefix import prefix_logits, shared_prefix
from recipes.steps.base import StepInput
from recipes.steps.nas import supernet
from recipes.steps.nas.space import Space
from recipes.steps.nas.supernet import Sandwich, sandwich_loss, trained_supernet
from recipes.steps.recovery import lesson_of
from recipes.training.distillation import Distillation
from recipes.work.progress import silent
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

# Good texts are those that call a film good.
TEXTS_OF = tuple((f"{text} {word}", target) for text, _ in TEXTS for word, target in (("good", 1), ("bad", 0)))
ROWS = tuple(Row(text, None, target) for text, target in TEXTS_OF)


@pytest.fixture
def given(tmp_path: Path) -> StepInput:
    checkpoint = tiny_checkpoint(tmp_path / "tiny", shape=tiny_shape(heads=(2, 2, 2), units=(24, 24, 24)))
    return StepInput(
        checkpoint=checkpoint,
        tokenizer=checkpoint / "tokenizer.json",
        max_tokens=64,
        train=Split("films", "train", ROWS),
        validation=Split("films", "validation", ROWS),
        teacher=None,
        seed=1,
        work=tmp_path / "work",
        shared=tmp_path / "shared",
        latency_s=lambda shape: 1.0,
        report=silent,
    )


def test_it_teaches_the_whole_the_smallest_and_all_between(given: StepInput) -> None:
    found = trained_supernet(given, Sandwich(passes=60, learning_rate=3e-3, batch=6))
    encoder, rows = load_checkpoint(found.checkpoint), supernet.choosing_rows(given)
    space = found.space
    for kept in (space.largest, space.subnetwork(space.scaled(0.5)), space.smallest):
        assert rows.accuracy(shared_prefix(encoder, kept)) >= 0.9
    assert found.origin.chance == 0.5
    assert found.curve[-1].step == 120
    assert sorted(space.drop_order) == [0, 1, 2]


def test_it_is_trained_once_for_all_who_ask(given: StepInput, monkeypatch: pytest.MonkeyPatch) -> None:
    first = trained_supernet(given, Sandwich(passes=1))
    weights = (first.checkpoint / "model.safetensors").read_bytes()

    def never(*arguments: object) -> None:
        raise AssertionError("it was trained already")

    monkeypatch.setattr(supernet, "train", never)
    assert trained_supernet(given, Sandwich(passes=1)) == first
    assert (first.checkpoint / "model.safetensors").read_bytes() == weights
    assert not (first.folder / "training.safetensors").exists()
    with pytest.raises(AssertionError, match="already"):
        trained_supernet(given, Sandwich(passes=2))


def test_the_loss_is_of_the_whole_the_smallest_and_those_drawn(given: StepInput) -> None:
    encoder, lesson = load_checkpoint(given.checkpoint), lesson_of(given, silent, 6, Distillation(0.5, 2.0))
    space, batch = Space(encoder.shape, (1, 0, 2)), lesson.batches(0)
    found = sandwich_loss(encoder, batch, lesson, space, drawn=0)
    logits = encoder(**batch.inputs)
    small = prefix_logits(encoder, space.smallest, batch.inputs)
    of_small = lesson.distillation.loss(small, batch.targets, logits.detach())
    torch.testing.assert_close(found, (lesson.loss(encoder, batch) + of_small) / 2)


def test_those_drawn_depend_on_torchs_random_numbers_alone(given: StepInput) -> None:
    encoder, lesson = load_checkpoint(given.checkpoint), lesson_of(given, silent, 6)
    space, batch = Space(encoder.shape, (1, 0, 2)), lesson.batches(0)

    def loss(seed: int) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return sandwich_loss(encoder, batch, lesson, space, drawn=2).item()

    assert loss(1) == loss(1) != loss(2)
