"""What an encoder answers for labelled rows, and how many of them it gets right: for choosing in training.

The figures of a variant are never from here: those are of the written artifact, in the engine that serves it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from model_store.rows import Row
from networks.encoder.modules import PackedEncoder
from recipes.training.batches import Tokens, padded, tokens_of
from recipes.training.device import on_device
from recipes.work.progress import Progress, silent

BATCH = 64


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Rows to evaluate on, tokenized once. `texts` and `targets` (texts,) are in the order of the rows."""

    texts: tuple[Tokens, ...]
    targets: Tensor

    @classmethod
    def of(cls, tokenizer: Tokenizer, rows: Sequence[Row]) -> "Evaluation":
        return cls(tuple(tokens_of(tokenizer, rows)), torch.tensor([row.target for row in rows]))

    def logits(self, encoder: PackedEncoder, report: Progress = silent) -> Tensor:
        """(texts, labels), in fp32 on the CPU; the encoder's mode is left as it was."""
        order = np.argsort([len(one.ids) for one in self.texts], kind="stable")
        found = torch.empty(len(self.texts), len(encoder.shape.labels))
        was_training = encoder.training
        encoder.eval()
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                inputs = on_device(padded([self.texts[i] for i in chosen]), encoder)
                found[torch.from_numpy(chosen)] = encoder(**inputs).float().cpu()
                report("evaluating", min(1.0, (start + BATCH) / len(order)))
        encoder.train(was_training)
        return found

    def accuracy(self, encoder: PackedEncoder) -> float:
        """The share of rows, 0 to 1, whose best label is the right one."""
        return int((self.logits(encoder).argmax(1) == self.targets).sum()) / len(self.targets)
