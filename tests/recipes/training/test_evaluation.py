from pathlib import Path

import pytest
import torch

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from recipes.data.tokens import load_tokenizer
from recipes.training import evaluation
from recipes.training.evaluation import Evaluation
from tests.tiny import PAIRS, TEXTS, packed_texts, tiny_checkpoint, torch_logits

EVERYTHING = (*TEXTS, *PAIRS)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return tiny_checkpoint(tmp_path)


def evaluation_of(checkpoint: Path, targets: list[int]) -> Evaluation:
    rows = [Row(text, pair, target) for (text, pair), target in zip(EVERYTHING, targets, strict=True)]
    return Evaluation.of(load_tokenizer(checkpoint / "tokenizer.json", 64), rows)


def test_logits_are_those_of_each_text_alone_in_the_order_of_the_rows(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "BATCH", 4)
    encoder = load_checkpoint(checkpoint).train()
    found = evaluation_of(checkpoint, [0] * 9).logits(encoder)
    expected = torch.from_numpy(torch_logits(checkpoint, packed_texts(checkpoint, EVERYTHING)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert encoder.training, "the mode is left as it was, and dropout was off meanwhile"


def test_accuracy_is_the_share_of_rows_whose_best_label_is_right(checkpoint: Path) -> None:
    encoder = load_checkpoint(checkpoint)
    best = evaluation_of(checkpoint, [0] * 9).logits(encoder).argmax(1).tolist()
    targets = [1 - one if i in (2, 5, 7) else one for i, one in enumerate(best)]
    assert evaluation_of(checkpoint, targets).accuracy(encoder) == pytest.approx(6 / 9)


def test_progress_ends_at_the_end(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "BATCH", 4)
    told: list[float] = []
    evaluation_of(checkpoint, [0] * 9).logits(load_checkpoint(checkpoint), lambda what, done: told.append(done))
    assert told == pytest.approx([4 / 9, 8 / 9, 1.0])
