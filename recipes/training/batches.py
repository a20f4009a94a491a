"""Labelled rows as the batches of a training: a text per row, filled up to the longest of its batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from model_store.rows import Row
from recipes.data.tokens import encode_all

# Texts are sorted by length among those of so many batches: little is filled up, and batches still differ by chance.
POOL_BATCHES = 50


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the encoder reads it: token ids, and for each of them which of two texts it belongs to; (tokens,)."""

    ids: NDArray[np.int32]
    types: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class RowBatch:
    """`inputs` are the encoder's packed inputs, (texts, tokens) and `cls_index`; `targets` is int64, (texts,).

    `rows` says which of all rows these are, int64, (texts,), on the CPU wherever the others are.
    """

    inputs: dict[str, Tensor]
    targets: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> "RowBatch":
        inputs = {name: tensor.to(device) for name, tensor in self.inputs.items()}
        return RowBatch(inputs, self.targets.to(device), self.rows)


class RowBatches:
    """The batch of a step, by the step's number from 0: passes over all rows, each in an order that `seed` gives.

    Rows of similar length are in a batch, so that little of it is filling. The whole of `rows` is tokenized at once.
    """

    def __init__(self, tokenizer: Tokenizer, rows: Sequence[Row], size: int, seed: int) -> None:
        self.rows, self.size, self.seed = rows, size, seed
        self._tokens = tokens_of(tokenizer, rows)
        self._lengths = np.array([len(one.ids) for one in self._tokens])
        self._targets = torch.tensor([row.target for row in rows])
        self._ordered: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    @property
    def per_pass(self) -> int:
        """How many batches one pass over the rows takes; one of them may be smaller."""
        return -(-len(self.rows) // self.size)

    def __call__(self, step: int) -> RowBatch:
        turn, place = divmod(step, self.per_pass)
        if self._ordered[0] != turn:
            self._ordered = (turn, self._order(turn))
        return self._batch(self._ordered[1][place])

    def _order(self, turn: int) -> list[NDArray[np.int64]]:
        """The rows of each batch of a pass."""
        dice = np.random.default_rng([self.seed, turn])
        shuffled = dice.permutation(len(self.rows))
        pool = POOL_BATCHES * self.size
        batches = []
        for start in range(0, len(shuffled), pool):
            chosen = shuffled[start : start + pool]
            by_length = chosen[np.argsort(self._lengths[chosen], kind="stable")]
            batches += [by_length[at : at + self.size] for at in range(0, len(by_length), self.size)]
        return [batches[i] for i in dice.permutation(len(batches))]

    def _batch(self, chosen: NDArray[np.int64]) -> RowBatch:
        rows = torch.from_numpy(chosen)
        return RowBatch(padded([self._tokens[i] for i in chosen]), self._targets[rows], rows)


def row_batch(tokenizer: Tokenizer, rows: Sequence[Row]) -> RowBatch:
    """These rows as one batch."""
    targets = torch.tensor([row.target for row in rows])
    return RowBatch(padded(tokens_of(tokenizer, rows)), targets, torch.arange(len(rows)))


def tokens_of(tokenizer: Tokenizer, rows: Sequence[Row]) -> list[Tokens]:
    encodings = encode_all(tokenizer, [(row.text, row.text_pair) for row in rows])
    return [Tokens(np.array(one.ids, np.int32), np.array(one.type_ids, np.int8)) for one in encodings]


def padded(texts: Sequence[Tokens]) -> dict[str, Tensor]:
    """A text per row, filled up to the longest, as `networks.encoder.modules.PackedEncoder.forward` takes it."""
    width = max(len(one.ids) for one in texts)
    input_ids, token_type_ids, segment_ids = np.zeros((3, len(texts), width), np.int64)
    for i, one in enumerate(texts):
        tokens = len(one.ids)
        input_ids[i, :tokens], token_type_ids[i, :tokens], segment_ids[i, :tokens] = one.ids, one.types, 1
    return {
        "input_ids": torch.from_numpy(input_ids),
        "position_ids": torch.arange(width).expand(len(texts), width),
        "token_type_ids": torch.from_numpy(token_type_ids),
        "segment_ids": torch.from_numpy(segment_ids),
        "cls_index": torch.arange(len(texts)) * width,
    }
