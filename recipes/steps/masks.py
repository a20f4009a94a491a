"""Zeros among the weights of an encoder's layers: counted, made, and kept zero while the other weights are trained.

What was pruned is told from the weights alone, by their zeros. So a training that was killed needs no masks to go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from networks.encoder.modules import PackedEncoder
from networks.encoder.slicing import LAYERS

# Stands for a weight that is not pruned and happens to be zero: far too small to count, and no denormal number.
_NEARLY_ZERO = 1e-20


def prunable(encoder: PackedEncoder) -> list[nn.Parameter]:
    """The matrices of all layers, (out, in) each: query, key, value, both outputs and the feed-forward part's input."""
    named = encoder.named_parameters()
    return [weight for name, weight in named if name.startswith(LAYERS) and weight.ndim == 2]


def blocks(weight: Tensor, size: int) -> Tensor:
    """A view of a matrix (out, in) as (blocks, size): `size` weights of one output, of neighbouring inputs.

    The width of the matrix is a multiple of `size`.
    """
    return weight.detach().view(-1, size)


def zero_share(weights: Sequence[Tensor], size: int = 1) -> float:
    """The share of all blocks that are zero throughout, 0 to 1."""
    zeros = sum(int((~_kept(weight, size)).sum()) for weight in weights)
    return zeros / sum(weight.numel() // size for weight in weights)


def prune(weights: Sequence[Tensor], scores: Sequence[Tensor], share: float, size: int) -> None:
    """Make zero, of all blocks of all weights together, the `share` with the lowest scores: rounded to a block.

    `scores` are (blocks,) for each weight, and not negative. Blocks that are zero are the first to be counted, whatever
    their score; none of them comes back.
    """
    kept = torch.cat([_kept(weight, size).flatten() for weight in weights])
    ranked = torch.where(kept, torch.cat(list(scores)), -1.0)
    lowest = torch.topk(ranked, round(share * ranked.numel()), largest=False, sorted=False).indices
    is_pruned = torch.zeros_like(kept).index_fill_(0, lowest, True)
    sizes = [weight.numel() // size for weight in weights]
    for weight, pruned in zip(weights, torch.split(is_pruned, sizes), strict=True):
        blocks(weight, size).masked_fill_(pruned[:, None], 0.0)


@dataclass(slots=True)
class KeptZeros:
    """Blocks of `weights` that are zero before a step of a training are so after it: the optimizer has a momentum.

    A weight of another block that lands on zero by chance is moved aside by next to nothing, so that nobody takes it
    for pruned.
    """

    weights: Sequence[Tensor]
    size: int
    _before: list[Tensor] = field(default_factory=list)

    def before_step(self) -> None:
        self._before = [_kept(weight, self.size) for weight in self.weights]

    def after_step(self) -> None:
        for weight, kept in zip(self.weights, self._before, strict=True):
            changed = blocks(weight, self.size)
            changed.masked_fill_(changed == 0, _NEARLY_ZERO)
            changed.masked_fill_(~kept, 0.0)


def _kept(weight: Tensor, size: int) -> Tensor:
    """Whether any weight of a block is not zero, (blocks, 1)."""
    return (blocks(weight, size) != 0).any(1, keepdim=True)
