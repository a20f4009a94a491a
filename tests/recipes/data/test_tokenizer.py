import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from model_store.errors import UnsupportedCheckpoint
from recipes.data.tokenizer import write_tokenizer
from tests.tiny import VOCABULARY, tiny_checkpoint


def vocabulary_only(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return folder


def test_tokenizer_file_is_copied(tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint")
    out = write_tokenizer(checkpoint, tmp_path)
    assert out.read_bytes() == (checkpoint / "tokenizer.json").read_bytes()


def test_vocabulary_alone_makes_the_same_tokenizer(tmp_path: Path) -> None:
    expected = Tokenizer.from_file(str(tiny_checkpoint(tmp_path / "whole") / "tokenizer.json"))
    made = Tokenizer.from_file(str(write_tokenizer(vocabulary_only(tmp_path / "old"), tmp_path)))
    for pair in (("A Charming, unfunnys film!", None), ("it is good", "THE plot")):
        given, wanted = made.encode(*pair), expected.encode(*pair)
        assert (given.tokens, given.type_ids) == (wanted.tokens, wanted.type_ids)
    assert made.encode("Good").tokens == ["[CLS]", "good", "[SEP]"]


def test_lower_casing_follows_the_settings(tmp_path: Path) -> None:
    checkpoint = vocabulary_only(tmp_path / "cased")
    (checkpoint / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False}))
    made = Tokenizer.from_file(str(write_tokenizer(checkpoint, tmp_path)))
    assert made.encode("Good").tokens == ["[CLS]", "[UNK]", "[SEP]"]


def test_a_checkpoint_without_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UnsupportedCheckpoint, match=r"has none of vocab\.txt, tokenizer\.json; save its tokenizer"):
        write_tokenizer(tmp_path, tmp_path)


def test_broken_settings_are_named(tmp_path: Path) -> None:
    checkpoint = vocabulary_only(tmp_path / "broken")
    (checkpoint / "tokenizer_config.json").write_text("[")
    with pytest.raises(UnsupportedCheckpoint, match=r"The tokenizer of 'broken' cannot be read \(Expecting value"):
        write_tokenizer(checkpoint, tmp_path)
