"""Texts for engines, and what the fp32 network answers to them."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from handlers.backends.base import Logits
from handlers.tokens.packing import Tokens, pack
from networks.checkpoint import load_checkpoint
from networks.encoder.modules import PACKED_INPUTS
from tests.tiny import VOCABULARY

LONGEST = 64


def random_texts(count: int, seed: int = 0, longest: int = LONGEST) -> list[Tokens]:
    dice = np.random.default_rng(seed)
    lengths = dice.integers(2, longest, count, endpoint=True)
    return [Tokens(dice.integers(len(VOCABULARY), size=n), dice.integers(2, size=n)) for n in lengths]


def in_company(texts: Sequence[Tokens], seed: int = 0) -> list[list[list[Tokens]]]:
    """The texts in calls of one to three rows of one to four texts."""
    dice, rest, calls = random.Random(seed), list(texts), []
    while rest:
        call = []
        for _ in range(dice.randint(1, 3)):
            size = dice.randint(1, 4)
            row, rest = rest[:size], rest[size:]
            call += [row] if row else []
        calls.append(call)
    return calls


class Reference:
    """What the fp32 network answers to texts, each by itself: logits (texts, labels)."""

    def __init__(self, checkpoint: Path) -> None:
        self._network = load_checkpoint(checkpoint)

    def __call__(self, texts: Sequence[Tokens]) -> Logits:
        batches = [pack([[text]]).inputs() for text in texts]
        torch.set_num_threads(1)  # a second one would only wait for the first
        with torch.inference_mode():
            logits = [self._network(*(torch.from_numpy(one[name]) for name in PACKED_INPUTS)) for one in batches]
        return torch.cat(logits).numpy()
