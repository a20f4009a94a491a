from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import StoreError
from tests.tiny import VOCABULARY


def pieces(tokenizer: TextTokenizer, text: str, text_pair: str | None = None) -> list[str]:
    return [VOCABULARY[i] for i in tokenizer(text, text_pair).input_ids]


def test_a_text_and_a_pair_are_tokenized_as_the_checkpoint_was_trained(tokenizer: TextTokenizer) -> None:
    assert pieces(tokenizer, "a Good film") == ["[CLS]", "a", "good", "film", "[SEP]"]
    assert pieces(tokenizer, "good", "bad plot") == ["[CLS]", "good", "[SEP]", "bad", "plot", "[SEP]"]
    assert tokenizer("good", "bad plot").token_type_ids.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_text_is_cut_at_the_limit_and_says_so(dense: Path) -> None:
    tokenizer = TextTokenizer(dense / "tokenizer.json", 6)
    whole, cut = tokenizer("a b c d"), tokenizer("good " * 5)
    assert (len(whole), whole.truncated, len(cut), cut.truncated) == (6, False, 6, True)
    assert pieces(tokenizer, "good " * 5) == ["[CLS]", *["good"] * 4, "[SEP]"]


def test_a_pair_is_cut_where_it_is_longer_and_keeps_both_parts(dense: Path) -> None:
    tokenizer = TextTokenizer(dense / "tokenizer.json", 8)
    assert pieces(tokenizer, "good", "bad " * 20) == ["[CLS]", "good", "[SEP]", *["bad"] * 4, "[SEP]"]
    assert tokenizer("good", "bad " * 20).truncated


def test_strange_texts_are_tokenized(tokenizer: TextTokenizer) -> None:
    for text in ("\x00", "🎬" * 50, "a\u0301", "\u202e", "good" * 30_000):
        assert 2 <= len(tokenizer(text)) <= 64


def test_threads_share_a_tokenizer(tokenizer: TextTokenizer) -> None:
    texts = [" ".join(VOCABULARY[15:15 + n]) for n in range(1, 40)] * 5  # fmt: skip
    with ThreadPoolExecutor(4) as threads:
        found = [one.input_ids.tolist() for one in threads.map(tokenizer, texts)]
    assert found == [tokenizer(text).input_ids.tolist() for text in texts]


@pytest.mark.parametrize(
    ("vocabulary", "padding", "pad_id"),
    [
        (["[PAD]", "[UNK]"], None, 0),
        (["<s>", "<pad>", "[UNK]"], None, 1),
        (["[UNK]", "a", "[mine]"], 2, 2),
        (["[UNK]", "a"], None, 0),
    ],
)
def test_padding_is_the_token_that_the_tokenizer_says_or_the_one_of_that_name(
    tmp_path: Path, vocabulary: list[str], padding: int | None, pad_id: int
) -> None:
    plain = Tokenizer(WordLevel({token: i for i, token in enumerate(vocabulary)}, unk_token="[UNK]"))  # noqa: S106
    if padding is not None:
        plain.enable_padding(pad_id=padding, pad_token=vocabulary[padding])
    plain.save(str(tmp_path / "tokenizer.json"))
    tokenizer = TextTokenizer(tmp_path / "tokenizer.json", 64)
    assert tokenizer.pad_id == pad_id
    assert len(tokenizer("a")) == 1, "padded by the tokenizer"


def test_a_damaged_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(StoreError, match=r"'tokenizer\.json' of .* is not a tokenizer file"):
        TextTokenizer(tmp_path / "tokenizer.json", 64)
