"""How much the weights of an encoder matter for its answers.

By the square of a weight and the Fisher information, of which the diagonal alone is taken: Theis et al. 2018,
arXiv:1801.05787; Kurtic et al. 2022 (oBERT), arXiv:2203.07259, for BERT. Here it is the root of that information, which
is half-way from magnitudes to theirs.

Why the root: tried on SST-2 (MiniLM, 6 layers), pruned at once, single weights and blocks of four, the root left most
answers right, the information somewhat fewer, magnitudes fewest. Pruned little by little, the root was ahead of
magnitudes by far.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from networks.encoder.modules import PackedEncoder
from recipes.steps.masks import blocks
from recipes.training.batches import RowBatch
from recipes.training.device import device_of

# Answers are drawn as if the encoder were less sure of them, so that not all are its first.
_TEMPERATURE = 4.0


def saliencies(
    encoder: PackedEncoder, weights: Sequence[Tensor], batches: Iterable[RowBatch], seed: int, size: int
) -> list[Tensor]:
    """What the blocks of each weight are worth, (blocks,): over a block, the sum of squares times roots of information.

    `weights` are some of `encoder`. The information is estimated on texts without their labels, with answers drawn by
    `seed`.
    """
    information = _information(encoder, weights, batches, seed)
    pairs = zip(weights, information, strict=True)
    return [blocks(weight.detach().square() * one.sqrt(), size).sum(1) for weight, one in pairs]


def _information(
    encoder: PackedEncoder, weights: Sequence[Tensor], batches: Iterable[RowBatch], seed: int
) -> list[Tensor]:
    """The sum of the squares of the gradients of all batches, shaped as the weights."""
    dice = torch.Generator().manual_seed(seed)
    found = [torch.zeros_like(weight) for weight in weights]
    was_training = encoder.training
    encoder.eval()
    for batch in batches:
        logits = encoder(**batch.to(device_of(encoder)).inputs).float() / _TEMPERATURE
        drawn = torch.multinomial(logits.detach().softmax(1).cpu(), 1, generator=dice).flatten()
        gradients = torch.autograd.grad(functional.cross_entropy(logits, drawn.to(logits.device)), list(weights))
        for total, gradient in zip(found, gradients, strict=True):
            total.addcmul_(gradient, gradient)
    encoder.train(was_training)
    return found
