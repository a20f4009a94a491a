from pathlib import Path

import torch

from model_store.rows import Row
from networks.checkpoint import load_checkpoint
from recipes.data.tokens import load_tokenizer
from recipes.training.batches import RowBatches, row_batch
from tests.tiny import PAIRS, TEXTS, packed_texts, tiny_checkpoint, torch_logits

EVERYTHING = (*TEXTS, *PAIRS)
ROWS = tuple(Row(text, pair, i) for i, (text, pair) in enumerate(EVERYTHING))


def test_a_pass_has_every_row_once_and_the_next_in_another_order(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_checkpoint(tmp_path) / "tokenizer.json", 64)
    batches = RowBatches(tokenizer, ROWS, size=4, seed=0)
    assert batches.per_pass == 3
    first, second = (torch.cat([batches(step).targets for step in steps]).tolist() for steps in (range(3), range(3, 6)))
    assert sorted(first) == sorted(second) == list(range(len(ROWS)))
    assert first != second
    assert torch.equal(batches(4).inputs["input_ids"], RowBatches(tokenizer, ROWS, 4, 0)(4).inputs["input_ids"])
    assert first != torch.cat([RowBatches(tokenizer, ROWS, 4, seed=1)(step).targets for step in range(3)]).tolist()


def test_texts_of_similar_length_are_in_a_batch(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_checkpoint(tmp_path) / "tokenizer.json", 64)
    rows = [Row("good " * (1 + i % 30), None, 0) for i in range(300)]
    batches = RowBatches(tokenizer, rows, 10, 0)
    filled = [batches(step).inputs["segment_ids"].float().mean().item() for step in range(batches.per_pass)]
    assert min(filled) > 0.9
    assert sorted(torch.cat([batches(step).rows for step in range(batches.per_pass)]).tolist()) == list(range(300))


def test_logits_are_those_of_the_texts_alone(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path)
    batch = row_batch(load_tokenizer(checkpoint / "tokenizer.json", 64), ROWS)
    with torch.inference_mode():
        logits = load_checkpoint(checkpoint)(**batch.inputs)
    expected = torch.from_numpy(torch_logits(checkpoint, packed_texts(checkpoint, EVERYTHING)))
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=0)
