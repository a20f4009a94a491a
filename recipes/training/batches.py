"""Labelled rows as the batches of a training: a text per row, filled up to the longest of its batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from model_store.rows import Row
from recipes.data.tokens import encode_all


@dataclass(frozen=True, slots=True)
class RowBatch:
    """`inputs` are the encoder's packed inputs, (texts, tokens) and `cls_index`; `targets` is int64, (texts,)."""

    inputs: dict[str, Tensor]
    targets: Tensor


@dataclass(frozen=True, slots=True)
class RowBatches:
    """The batch of a step, by the step's number: passes over all rows, each in an order that `seed` gives."""

    tokenizer: Tokenizer
    rows: Sequence[Row]
    size: int
    seed: int

    @property
    def per_pass(self) -> int:
        """How many batches one pass over the rows takes; the last of them may be smaller."""
        return -(-len(self.rows) // self.size)

    def __call__(self, step: int) -> RowBatch:
        turn, place = divmod(step, self.per_pass)
        order = np.random.default_rng([self.seed, turn]).permutation(len(self.rows))
        chosen = order[place * self.size : (place + 1) * self.size]
        return row_batch(self.tokenizer, [self.rows[i] for i in chosen])


def row_batch(tokenizer: Tokenizer, rows: Sequence[Row]) -> RowBatch:
    """These rows as one batch."""
    encodings = encode_all(tokenizer, [(row.text, row.text_pair) for row in rows])
    width = max(len(encoding.ids) for encoding in encodings)
    input_ids, token_type_ids, segment_ids = torch.zeros(3, len(rows), width, dtype=torch.long)
    for i, encoding in enumerate(encodings):
        tokens = len(encoding.ids)
        input_ids[i, :tokens] = torch.tensor(encoding.ids)
        token_type_ids[i, :tokens] = torch.tensor(encoding.type_ids)
        segment_ids[i, :tokens] = 1
    inputs = {
        "input_ids": input_ids,
        "position_ids": torch.arange(width).expand_as(input_ids),
        "token_type_ids": token_type_ids,
        "segment_ids": segment_ids,
        "cls_index": torch.arange(len(rows)) * width,
    }
    return RowBatch(inputs, torch.tensor([row.target for row in rows]))
