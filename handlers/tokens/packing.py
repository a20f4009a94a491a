"""Tokenized texts, and how several of them are laid out for one call of an engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64Array = NDArray[np.int64]

_POSITIONS = np.arange(4096, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One text (or pair), tokenized. Both arrays have the shape (tokens,)."""

    input_ids: Int64Array
    token_type_ids: Int64Array
    truncated: bool = False

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """What an engine is given: the four (rows, tokens) arrays, and where each text's first token stands.

    Texts lie end to end in their row; `segment_ids` counts them from 1 within a row, 0 is padding.
    `cls_index` (texts,) points into the rows laid end to end, in the order the texts were given.
    """

    input_ids: Int64Array
    position_ids: Int64Array
    token_type_ids: Int64Array
    segment_ids: Int64Array
    cls_index: Int64Array

    def inputs(self) -> dict[str, Int64Array]:
        """The arrays by the names that packed graphs give their inputs."""
        return {name: getattr(self, name) for name in self.__slots__}


def pack(rows: Sequence[Sequence[Tokens]], width_step: int = 1) -> PackedBatch:
    """Lay out texts, row by row, padded at the end to the width of the longest, in multiples of `width_step`."""
    packed = [_pack_row(row) for row in rows]
    width = row_width(max(row.input_ids.shape[1] for row in packed), width_step)
    if len(packed) == 1 and packed[0].input_ids.shape[1] == width:
        return packed[0]
    return PackedBatch(
        input_ids=_stack([row.input_ids for row in packed], width),
        position_ids=_stack([row.position_ids for row in packed], width),
        token_type_ids=_stack([row.token_type_ids for row in packed], width),
        segment_ids=_stack([row.segment_ids for row in packed], width),
        cls_index=np.concatenate([row.cls_index + i * width for i, row in enumerate(packed)]),
    )


def row_width(tokens: int, width_step: int) -> int:
    return -(-tokens // width_step) * width_step


def padding_tokens(rows: Sequence[Sequence[Tokens]], width_step: int = 1) -> int:
    """How many tokens `pack` adds to these texts."""
    lengths = [sum(map(len, row)) for row in rows]
    return row_width(max(lengths), width_step) * len(rows) - sum(lengths)


def _stack(rows: list[Int64Array], width: int) -> Int64Array:
    stacked = np.zeros((len(rows), width), np.int64)
    for i, row in enumerate(rows):
        stacked[i, : row.shape[1]] = row[0]
    return stacked


def _pack_row(row: Sequence[Tokens]) -> PackedBatch:
    lengths = [len(tokens) for tokens in row]
    starts = np.zeros(len(row), np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    return PackedBatch(
        input_ids=np.concatenate([tokens.input_ids for tokens in row])[np.newaxis],
        position_ids=np.concatenate([_POSITIONS[:n] for n in lengths])[np.newaxis],
        token_type_ids=np.concatenate([tokens.token_type_ids for tokens in row])[np.newaxis],
        segment_ids=np.repeat(np.arange(1, len(row) + 1, dtype=np.int64), lengths)[np.newaxis],
        cls_index=starts,
    )
