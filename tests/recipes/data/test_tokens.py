from pathlib import Path
from typing import Any

import pytest

from model_store.errors import UnsupportedCheckpoint
from recipes.data.tokens import load_tokenizer, spread, token_lengths
from tests.tiny import PAIRS, TEXTS, tiny_checkpoint


@pytest.mark.parametrize(("count", "expected"), [(3, [0, 3, 6]), (10, list(range(10))), (20, list(range(10)))])
def test_texts_are_taken_evenly_spaced(count: int, expected: list[int]) -> None:
    texts: list[Any] = [(str(i), None) for i in range(10)]
    assert spread(texts, count) == [texts[i] for i in expected]


def test_lengths_reach_from_the_shortest_to_the_longest_text(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_checkpoint(tmp_path) / "tokenizer.json", 12)
    texts = (*TEXTS, *PAIRS)
    every = sorted(len(tokenizer.encode(*text).ids) for text in texts)
    assert token_lengths(tokenizer, texts, len(texts)) == every
    assert token_lengths(tokenizer, texts, 3) == [every[0], every[4], 12], "the longest are cut at 12"


def test_a_broken_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(UnsupportedCheckpoint, match="not a tokenizer file"):
        load_tokenizer(tmp_path / "tokenizer.json", 8)
