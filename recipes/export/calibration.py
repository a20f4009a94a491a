"""Real texts as the packed inputs of a graph: what post-training quantization measures its ranges on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_store.errors import DataError, UnsupportedCheckpoint
from recipes.base import Text

# NNCF's own default; ranges of BERT activations have settled long before.
CALIBRATION_TEXTS = 300

Packed = dict[str, NDArray[np.int64]]


def spread(texts: Sequence[Text], count: int = CALIBRATION_TEXTS) -> list[Text]:
    """At most `count` of `texts`, evenly spaced, so that the same list always gives the same choice.

    Raises:
        DataError: there are none.
    """
    if not texts:
        raise DataError("Quantization measures ranges on real texts; give data with a train split, or some texts.")
    chosen = min(count, len(texts))
    return [texts[i * len(texts) // chosen] for i in range(chosen)]


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
    """One text (or pair) alone in one row, as `networks.encoder.PackedEncoder.forward` takes it."""
    encoding = tokenizer.encode(*text)
    tokens = len(encoding.ids)
    return {
        "input_ids": np.array([encoding.ids], dtype=np.int64),
        "position_ids": np.arange(tokens, dtype=np.int64)[None],
        "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        "segment_ids": np.ones((1, tokens), dtype=np.int64),
        "cls_index": np.zeros(1, dtype=np.int64),
    }
