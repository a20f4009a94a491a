"""From text to tokens, with the tokenizer of the checkpoint itself."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from handlers.tokens.packing import Tokens
from model_store.errors import StoreError


class TextTokenizer:
    """Tokenizes one text or pair, cut at `max_tokens`. Safe to call from several threads."""

    def __init__(self, file: Path, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as exc:
            raise StoreError(f"{file.name!r} of {file.parent.name!r} is not a tokenizer file: {exc}.") from exc
        self.pad_id = _pad_id(self._tokenizer)
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()

    def __call__(self, text: str, text_pair: str | None = None) -> Tokens:
        encoding = self._tokenizer.encode(text, text_pair)
        return Tokens(
            input_ids=np.array(encoding.ids, np.int64),
            token_type_ids=np.array(encoding.type_ids, np.int64),
            truncated=bool(encoding.overflowing),
        )


def _pad_id(tokenizer: Tokenizer) -> int:
    """The token that the model was trained to see as padding: some find the positions of the others by it."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    ids = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>"))
    return next((pad_id for pad_id in ids if pad_id is not None), 0)
