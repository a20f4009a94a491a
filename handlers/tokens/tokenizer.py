"""From text to tokens, with the tokenizer of the checkpoint itself."""

from pathlib import Path

import numpy as np
from tokenizers import Encoding, Tokenizer

from handlers.tokens.long_texts import reader_of
from handlers.tokens.packing import Tokens
from model_store.errors import BadInput, StoreError

# Characters of a text, for each token that is kept of it, that are tokenized at once: more than most texts have.
AT_ONCE = 4
# Of the two parts of a pair, so many times the tokens that are kept are read, to see which part is the longer one.
PAIR_TOKENS = 32

# These say themselves what the second part of a pair is marked with.
_MARKING = {"TemplateProcessing", "BertProcessing", "RobertaProcessing"}


class TextTokenizer:
    """Tokenizes one text or pair, cut at `max_tokens`. Safe to call from several threads.

    Long texts are read until there are enough tokens, with the tokens that the whole text would give. There is one
    exception: of a pair whose parts both have more than `PAIR_TOKENS * max_tokens` tokens, the part that keeps one
    token more than the other, where their number is odd, may be the shorter one.
    """

    def __init__(self, file: Path, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
            self._read = reader_of(self._tokenizer, file, 2 * AT_ONCE * max_tokens)
        except Exception as exc:
            raise StoreError(f"{file.name!r} of {file.parent.name!r} is not a tokenizer file: {exc}.") from exc
        self.pad_id = _pad_id(self._tokenizer)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._marks_pairs = _marks_pairs(self._tokenizer)
        self._at_once = AT_ONCE * max_tokens

    def __call__(self, text: str, text_pair: str | None = None) -> Tokens:
        """Raises BadInput where a text is not valid Unicode."""
        try:
            if len(text) <= self._at_once and (text_pair is None or len(text_pair) <= self._at_once):
                encoding = self._tokenizer.encode(text, text_pair)
                if len(encoding) <= self.max_tokens:
                    return Tokens(np.array(encoding.ids, np.int64), np.array(encoding.type_ids, np.int64))
            return self._cut_pair(text, text_pair) if text_pair is not None else self._cut(text)
        except TypeError as exc:
            raise BadInput("A text holds half of a surrogate pair; send valid Unicode.") from exc

    def _cut(self, text: str) -> Tokens:
        room = self._room(is_pair=False)
        read = self._read(text, room)
        truncated = len(read) > room
        read.truncate(room)
        encoding = self._tokenizer.post_process(read)
        return Tokens(np.array(encoding.ids, np.int64), np.array(encoding.type_ids, np.int64), truncated)

    def _cut_pair(self, text: str, text_pair: str) -> Tokens:
        room = self._room(is_pair=True)
        parts = [self._read(part, PAIR_TOKENS * self.max_tokens) for part in (text, text_pair)]
        lengths = (len(parts[0]), len(parts[1]))
        for part, kept in zip(parts, _kept(*lengths, room), strict=True):
            part.truncate(kept)
        encoding = self._tokenizer.post_process(parts[0], parts[1])
        return Tokens(np.array(encoding.ids, np.int64), self._type_ids(encoding), sum(lengths) > room)

    def _room(self, *, is_pair: bool) -> int:
        return self.max_tokens - self._tokenizer.num_special_tokens_to_add(is_pair)

    def _type_ids(self, encoding: Encoding) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        if self._marks_pairs:
            return np.array(encoding.type_ids, np.int64)
        return np.array([part or 0 for part in encoding.sequence_ids], np.int64)


def _kept(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens each part of a pair keeps: the longer one gives way. As `tokenizers` counts ("longest first")."""
    if first + second <= room:
        return first, second
    shorter = min(first, second)
    longer = shorter if shorter > room else max(shorter, room - shorter)
    if shorter + longer > room:
        shorter, longer = room // 2, room // 2 + room % 2
    return (shorter, longer) if first <= second else (longer, shorter)


def _marks_pairs(tokenizer: Tokenizer) -> bool:
    return any(name in repr(tokenizer.post_processor) for name in _MARKING)


def _pad_id(tokenizer: Tokenizer) -> int:
    """The token that the model was trained to see as padding: some find the positions of the others by it."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    ids = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>"))
    return next((pad_id for pad_id in ids if pad_id is not None), 0)
