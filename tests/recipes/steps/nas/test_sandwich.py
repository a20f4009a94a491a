from pathlib import Path

import pytest
import torch

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PackedEncoder
from networks.encoder.prefix import prefix_logits
from recipes.data.tokens import load_tokenizer
from recipes.steps.nas.sandwich import sandwich_loss
from recipes.steps.nas.space import Space
from recipes.training.batches import RowBatches
from recipes.training.distillation import Distillation
from recipes.training.evaluation import Evaluation
from recipes.training.lesson import Lesson
from tests.tiny import TEXTS, tiny_checkpoint, tiny_shape

ROWS = tuple(Row(text, pair, i % 2) for i, (text, pair) in enumerate(TEXTS))


@pytest.fixture
def encoder(tmp_path: Path) -> PackedEncoder:
    return load_checkpoint(tiny_checkpoint(tmp_path, shape=tiny_shape(heads=(2, 2, 2), units=(24, 24, 24))))


@pytest.fixture
def lesson(encoder: PackedEncoder, tmp_path: Path) -> Lesson:
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json", 64)
    taught = torch.tensor([[1.0, -1.0]]).expand(len(ROWS), 2)
    return Lesson(RowBatches(tokenizer, ROWS, 6, 1), Evaluation.of(tokenizer, ROWS), taught, Distillation(0.5, 2.0))


def test_the_loss_is_of_the_whole_the_smallest_and_those_drawn(encoder: PackedEncoder, lesson: Lesson) -> None:
    space, batch = Space(encoder.shape, (1, 0, 2)), lesson.batches(0)
    found = sandwich_loss(encoder, batch, lesson, space, drawn=0)
    logits = encoder(**batch.inputs)
    small = prefix_logits(encoder, space.smallest, batch.inputs)
    of_small = lesson.distillation.loss(small, batch.targets, logits.detach())
    torch.testing.assert_close(found, (lesson.loss(encoder, batch) + of_small) / 2)


def test_those_drawn_depend_on_torchs_random_numbers_alone(encoder: PackedEncoder, lesson: Lesson) -> None:
    space, batch = Space(encoder.shape, (1, 0, 2)), lesson.batches(0)

    def loss(seed: int) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return sandwich_loss(encoder, batch, lesson, space, drawn=2).item()

    assert loss(1) == loss(1) != loss(2)
