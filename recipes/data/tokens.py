"""Texts as tokens: one text alone as the encoder's packed inputs, and how long texts are."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from model_store.errors import UnsupportedCheckpoint

Text = tuple[str, str | None]
"""A text and, for pair tasks, its second text."""

Packed = dict[str, NDArray[np.int64]]

# Of a large data set, no more texts are counted than show how their lengths are spread.
COUNTED_TEXTS = 10_000

# The tokenizer keeps a hundred times of what is kept of its answers.
_AT_ONCE = 1000


def load_tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """The tokenizer in `path`, cutting at `max_tokens` and not padding, whatever the file says.

    Raises:
        UnsupportedCheckpoint: it is no tokenizer file.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing narrower
        raise UnsupportedCheckpoint(f"{path.name!r} of the checkpoint is not a tokenizer file ({exc}).") from exc
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def packed(tokenizer: Tokenizer, text: Text) -> Packed:
    """One text (or pair) alone in one row, as `networks.encoder.modules.PackedEncoder.forward` takes it."""
    encoding = tokenizer.encode(*text)
    tokens = len(encoding.ids)
    return {
        "input_ids": np.array([encoding.ids], dtype=np.int64),
        "position_ids": np.arange(tokens, dtype=np.int64)[None],
        "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        "segment_ids": np.ones((1, tokens), dtype=np.int64),
        "cls_index": np.zeros(1, dtype=np.int64),
    }


def spread(texts: Sequence[Text], count: int) -> list[Text]:
    """At most `count` of `texts`, evenly spaced, so that the same list always gives the same choice."""
    chosen = min(count, len(texts))
    return [texts[i * len(texts) // chosen] for i in range(chosen)]


def token_lengths(tokenizer: Tokenizer, texts: Sequence[Text], count: int) -> list[int]:
    """`count` lengths of `texts`, in tokens, evenly spaced from the shortest to the longest."""
    encodings = encode_all(tokenizer, spread(texts, COUNTED_TEXTS))
    lengths = sorted(len(encoding.ids) for encoding in encodings)
    return [lengths[i] for i in np.linspace(0, len(lengths) - 1, count).round().astype(int)]


def encode_all(tokenizer: Tokenizer, texts: Sequence[Text]) -> Iterator[Encoding]:
    """Each text in its order; many at once, on all cores."""
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        yield from tokenizer.encode_batch([text if pair is None else (text, pair) for text, pair in some])
