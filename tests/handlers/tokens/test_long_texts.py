"""Long texts are read in part, with the tokens of the whole: held against the tokenizer as it is, without any cut."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from handlers.tokens.tokenizer import TextTokenizer
from tests.tiny import VOCABULARY

SHARED = Path(__file__).parents[4] / "shared" / "checkpoints" / "sst2-minilm" / "tokenizer.json"

WORDS = ("film", "good", "bad.", "un", "charming", "e", "xyz", "don't", "n't", "it's", "[SEP]", "[SE", "P]", "<mask>")
# Marks of several classes of order, some of them not stripped; spaces of all kinds; controls; what composes or expands.
MARKS = tuple("\u0301\u0323\u0338\u0345\u302e\u302f\U0001d165\u0e38\u3099\u05b0")
SPACES = (" ", "  ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2028", "\u0085", " " * 40)
ODD = tuple(
    "\x00\x1c\x7f\u200b\u200d\ufeff\ufffd\u0130\u00e9\u1e9b\ufdfa\ufb01\uac00\u1100\u1161\u11a8=<>!?-_[]'\U0001f3ac中文。ß\u2126"
)


def nasty_text(seed: int, length: int) -> str:
    """Pieces of all these kinds; each text has its own taste, and here and there very much of one piece."""
    chance = random.Random(seed)
    pieces = [*WORDS, *MARKS, *SPACES, *ODD, *"aAzZ09 "]
    taste = chance.sample(pieces, chance.randint(1, 12))
    found: list[str] = []
    while sum(map(len, found)) < length:
        piece = chance.choice(taste)
        found.append(piece * (chance.choice((1, 1, 1, 1, 1, 3, 30, 300))))
    return "".join(found)[:length]


EXTREMES = (
    " " * 4_000,
    "good" + " " * 4_000 + "film",
    "\u0301" * 4_000,
    "e" + "\u0301" * 4_000 + "good",
    "x" * 4_000,
    "x" * 4_000 + " good film",
    "x" * 4_000 + "[SEP]" + "y" * 4_000,
    "good " + "x" * 99 + "\u0301" * 4_000 + "x good",
    "good " + "x" * 100 + "\u0301" * 4_000 + "x good",
    "[" + "\u0301" * 4_000 + "SEP] good",
    "中" * 4_000,
    "a film " * 4_000,
    "=" + "\u0301" * 2_000 + "\u0338" + " a",
    "\u302e\U0001d165" * 10_000,
    "\x00" * 4_000 + "good",
    "\u3000" * 4_000 + "good",
    "!" * 4_000,
    "x" * 30_000 + "xxy" + "x" * 4_000 + " good",
    "x" * 30_000 + "中 good " + "\u00e9" * 30_000 + "\u0301! film",
    " " * 30_000 + "\u0301good\u00a0" + "\t\u3000" * 15_000 + "x" * 101 + "\n" * 30_000 + "x good",
)


def bert(added: Sequence[AddedToken] = (), **options: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(VOCABULARY)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(**options)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.add_tokens(list(added))
    return tokenizer


def byte_level(**options: Any) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("Ġ", "Ġ"), ("Ġ", "f"), ("i", "l"), ("o", "o"), ("'", "s"), ("n", "'"), ("n'", "t"), ("ĠĠ", "ĠĠ")]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *alphabet, *("".join(merge) for merge in merges)]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(**options)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer.add_special_tokens(["<s>", "</s>", AddedToken("<mask>", lstrip=True)])
    return tokenizer


def unigram(scheme: str, normalizer: Any) -> Tokenizer:
    pieces = ["<unk>", "▁", "▁film", "▁good", "film", "go", "od", "▁a", *"abcdefghijklmnopqrstuvwxyz.'!"]
    tokenizer = Tokenizer(
        models.Unigram([(piece, -float(i)) for i, piece in enumerate(pieces)], 0, byte_fallback=False)
    )
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme)
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


def xlm_like() -> Any:
    return normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "bert": lambda: bert(lowercase=True),
    "bert with a word of its own": lambda: bert(lowercase=True, added=[AddedToken("xxy", normalized=False)]),
    "cased bert": lambda: bert(lowercase=False),
    "bert that keeps accents": lambda: bert(lowercase=True, strip_accents=False),
    "bert without Chinese": lambda: bert(lowercase=True, handle_chinese_chars=False),
    "bert that cleans nothing": lambda: bert(clean_text=False),
    "bytes": lambda: byte_level(add_prefix_space=False),
    "bytes after a space": lambda: byte_level(add_prefix_space=True),
    "bytes without words": lambda: byte_level(use_regex=False),
    "unigram": lambda: unigram("always", xlm_like()),
    "unigram first": lambda: unigram("first", None),
    "unigram stripped": lambda: unigram("never", normalizers.Strip()),
}


@pytest.fixture(params=[*KINDS, "shared"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "shared":
        if not SHARED.is_file():
            pytest.skip("the checkpoint is not there")
        return SHARED
    KINDS[request.param]().save(str(tmp_path / "tokenizer.json"))
    return tmp_path / "tokenizer.json"


def uncut(file: Path, max_tokens: int) -> Callable[..., tuple[list[int], list[int], bool]]:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(max_tokens)
    tokenizer.no_padding()

    def tokens(text: str, text_pair: str | None = None) -> tuple[list[int], list[int], bool]:
        encoding = tokenizer.encode(text, text_pair)
        return encoding.ids, encoding.type_ids, bool(encoding.overflowing)

    return tokens


def assert_same(file: Path, max_tokens: int, texts: Iterator[tuple[str, ...]]) -> None:
    whole, cut = uncut(file, max_tokens), TextTokenizer(file, max_tokens)
    for given in texts:
        found = cut(*given)
        assert found.input_ids.dtype == found.token_type_ids.dtype == np.int64
        same = (found.input_ids.tolist(), found.token_type_ids.tolist(), found.truncated) == whole(*given)
        assert same, ascii(given)[:500]  # pytest would take minutes to show the difference


@pytest.mark.parametrize("max_tokens", [5, 16, 65])
def test_random_texts_give_the_tokens_of_the_whole(file: Path, max_tokens: int) -> None:
    assert_same(file, max_tokens, ((nasty_text(seed, 7 * max_tokens * (1 + seed % 9)),) for seed in range(40)))


@pytest.mark.parametrize("max_tokens", [17, 18])
def test_random_pairs_give_the_tokens_of_the_whole(file: Path, max_tokens: int) -> None:
    def pairs() -> Iterator[tuple[str, str]]:
        for seed in range(20):
            yield nasty_text(seed, 3 * max_tokens * (1 + seed % 3)), nasty_text(-seed, 3 * max_tokens * (1 + seed % 4))

    assert_same(file, max_tokens, pairs())


@pytest.mark.parametrize("max_tokens", [33])
def test_extreme_texts_give_the_tokens_of_the_whole(file: Path, max_tokens: int) -> None:
    assert_same(file, max_tokens, ((text,) for text in EXTREMES))
    assert_same(file, max_tokens, ((text, "good film") for text in EXTREMES[:6]))
