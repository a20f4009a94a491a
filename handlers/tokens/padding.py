"""Padded rows: each text in a row of its own, for graphs that know nothing of packing."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handlers.tokens.packing import Int64Array, Tokens, row_width

# A row has at most so many steps, whatever its width: few shapes to meet, and little padding all the same.
STEPS = 16


@dataclass(frozen=True, slots=True)
class Grid:
    """The shapes (rows, width) that the calls of a padded graph have: texts are filled up to the next of them.

    A graph may fix its number of `rows`, its `width`, or both. An engine that prepares itself for every new shape
    wants widths in multiples of `width_step`, wide ones in larger steps, and numbers of rows that are powers of two
    (`doubling`). No row is made wider than `widest`, the most tokens that the model has positions for.
    """

    rows: int | None = None
    width: int | None = None
    width_step: int = 1
    doubling: bool = False
    widest: int | None = None

    def calls(self, texts: int) -> int:
        """How many calls so many texts take: one, unless the graph has fewer rows."""
        return -(-texts // self.rows) if self.rows else 1

    def shape(self, texts: int, longest: int) -> tuple[int, int]:
        """(rows, width) of each of these calls, for texts of up to `longest` tokens."""
        rows = self.rows or (1 << (texts - 1).bit_length() if self.doubling else texts)
        stepped = row_width(longest, self._step(longest))
        return rows, self.width or (min(stepped, self.widest) if self.widest else stepped)

    def _step(self, longest: int) -> int:
        step = self.width_step
        while 1 < step < longest / STEPS:
            step *= 2
        return step

    def tokens(self, texts: int, longest: int) -> int:
        """How many tokens the engine computes for so many texts, padding and all."""
        rows, width = self.shape(texts, longest)
        return self.calls(texts) * rows * width


@dataclass(frozen=True, slots=True)
class PaddedBatch:
    """What an engine is given: three (rows, width) arrays. `attention_mask` is 1 for a token and 0 for padding."""

    input_ids: Int64Array
    attention_mask: Int64Array
    token_type_ids: Int64Array

    def inputs(self) -> dict[str, Int64Array]:
        """The arrays by the names that Hugging Face's exports give their inputs."""
        return {name: getattr(self, name) for name in self.__slots__}


def pad(texts: Sequence[Tokens], shape: tuple[int, int], pad_id: int = 0) -> PaddedBatch:
    """Lay out each text in a row of its own, in arrays of `shape`, with `pad_id` after its end.

    Rows beyond the last text repeat it: in a row without a single token, attention would be a softmax over nothing.
    """
    input_ids = np.full(shape, pad_id, np.int64)
    attention_mask, token_type_ids = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for row in range(shape[0]):
        text = texts[min(row, len(texts) - 1)]
        input_ids[row, : len(text)] = text.input_ids
        attention_mask[row, : len(text)] = 1
        token_type_ids[row, : len(text)] = text.token_type_ids
    return PaddedBatch(input_ids, attention_mask, token_type_ids)
