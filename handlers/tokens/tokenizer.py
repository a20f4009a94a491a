"""From text to tokens, with the tokenizer of the checkpoint itself."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from handlers.tokens.long_texts import reader_of
from handlers.tokens.packing import Tokens
from model_store.errors import BadInput, StoreError

# Characters of a text, for each token that is kept of it, that are tokenized at once: more than most texts have.
AT_ONCE = 4
# Of the two parts of a pair, so many times the tokens that are kept are read, to see which part is the longer one.
PAIR_TOKENS = 32


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
            self.pad_id = _pad_id(self._tokenizer)
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            self._read = reader_of(self._tokenizer, file, 2 * AT_ONCE * max_tokens)
            self._frames = _frame(self._tokenizer, 1), _frame(self._tokenizer, 2)
        except Exception as exc:
            raise StoreError(f"{file.name!r} of {file.parent.name!r} is not a tokenizer file: {exc}.") from exc
        self._at_once = AT_ONCE * max_tokens

    def __call__(self, text: str, text_pair: str | None = None) -> Tokens:
        """Raises BadInput where a text is not valid Unicode."""
        try:
            if len(text) <= self._at_once and (text_pair is None or len(text_pair) <= self._at_once):
                encoding = self._tokenizer.encode(text, text_pair)
                if len(encoding) <= self.max_tokens:
                    return Tokens(np.array(encoding.ids, np.int64), np.array(encoding.type_ids, np.int64))
            return self._cut(text, text_pair)
        except TypeError as exc:
            raise BadInput("A text holds half of a surrogate pair; send valid Unicode.") from exc

    def _cut(self, text: str, text_pair: str | None) -> Tokens:
        texts = [text] if text_pair is None else [text, text_pair]
        frame = self._frames[len(texts) - 1]
        enough = self.max_tokens if text_pair is None else PAIR_TOKENS * self.max_tokens
        parts = [self._read(one, enough) for one in texts]
        room, lengths = self.max_tokens - frame.specials, [len(part) for part in parts]
        kept = _kept(lengths[0], lengths[1], room) if text_pair is not None else (room,)
        ids, types = frame.around([part[:count] for part, count in zip(parts, kept, strict=True)])
        return Tokens(np.array(ids, np.int64), np.array(types, np.int64), sum(lengths) > room)


@dataclass(frozen=True, slots=True)
class Frame:
    """The special tokens before, between and after the parts of an input, with their types, and the parts' own types.

    `tokenizers` has code for this, too, but it keeps all that it cuts off, and of a pair each with each.
    """

    gaps: list[list[tuple[int, int]]]
    types: list[int]

    @property
    def specials(self) -> int:
        return sum(map(len, self.gaps))

    def around(self, parts: Sequence[Sequence[int]]) -> tuple[list[int], list[int]]:
        """The ids and the types of the tokens of an input with these parts."""
        ids, types = [one for one, _ in self.gaps[0]], [kind for _, kind in self.gaps[0]]
        for part, kind, gap in zip(parts, self.types, self.gaps[1:], strict=True):
            ids += [*part, *(one for one, _ in gap)]
            types += [*[kind] * len(part), *(kind for _, kind in gap)]
        return ids, types


def _frame(tokenizer: Tokenizer, parts: int) -> Frame:
    """Learned from a text that has tokens; raises ValueError where there is none."""
    words = (word.lstrip("#\u0120\u2581") for word in itertools.islice(tokenizer.get_vocab(), 1000))
    for word in ("a", "1", *words):
        encoding = tokenizer.encode(word, word if parts == 2 else None)
        gaps: list[list[tuple[int, int]]] = [[]]
        types: list[int] = []
        for one, kind, part in zip(encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True):
            if part is None:
                gaps[-1].append((one, kind))
            elif part == len(types):
                types.append(kind)
                gaps.append([])
        if len(types) == parts:
            return Frame(gaps, types)
    raise ValueError("no text has tokens")


def _kept(first: int, second: int, room: int) -> tuple[int, int]:
    """How many tokens each part of a pair keeps: the longer one gives way. As `tokenizers` counts ("longest first")."""
    if first + second <= room:
        return first, second
    shorter = min(first, second)
    longer = shorter if shorter > room else max(shorter, room - shorter)
    if shorter + longer > room:
        shorter, longer = room // 2, room // 2 + room % 2
    return (shorter, longer) if first <= second else (longer, shorter)


def _pad_id(tokenizer: Tokenizer) -> int:
    """The token that the model was trained to see as padding: some find the positions of the others by it."""
    if tokenizer.padding:
        return int(tokenizer.padding["pad_id"])
    ids = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>"))
    return next((pad_id for pad_id in ids if pad_id is not None), 0)
