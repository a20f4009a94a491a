"""An encoder some of whose weights are multiplied by masks of blocks, which learn how much each block matters.

A mask's score gets the gradient of its mask straight through (Bengio et al. 2013, arXiv:1308.3432): the sum of
`dL/dW' * W` over the block, which is its movement (Sanh et al. 2020, arXiv:2005.07683; Lagunas et al. 2021,
arXiv:2109.04838, for blocks). A block that is masked has one too, and may come back.
"""

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from networks.encoder.modules import PackedEncoder

# A mean over about so many steps to one part.
_MEMORY_STEPS = 200


class BlockMask(nn.Module):
    """Multiplies a matrix by 1 or 0 for each of its blocks.

    All tensors are (block rows, block columns). `kept` says which blocks are multiplied by 1; whoever owns the mask
    sets it. `scores` get the movements as gradients. `moved` is the running mean of the movements' squares.
    """

    kept: Tensor
    moved: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.zeros(rows, columns))
        self.register_buffer("kept", torch.ones(rows, columns))
        self.register_buffer("moved", torch.zeros(rows, columns))

    def forward(self, weight: Tensor) -> Tensor:
        # Its value is that of `kept` exactly, its gradient is that of the scores.
        mask = self.kept + (self.scores - self.scores.detach())
        (rows, columns), (outputs, inputs) = mask.shape, weight.shape
        blocks = weight.view(rows, outputs // rows, columns, inputs // columns)
        return (blocks * mask[:, None, :, None]).view_as(weight)

    def note_movement(self) -> None:
        """Count the movement of the last step into `moved`."""
        assert self.scores.grad is not None, "this is a bug: movements are gradients"
        self.moved.lerp_(self.scores.grad.square(), 1 / _MEMORY_STEPS)


class MaskedEncoder(nn.Module):
    """`encoder` with masks for some of its weights, by their names; it takes and answers what the encoder does.

    `first_threshold` is for pruning by a threshold: a tensor here, so that it is kept with the weights.
    """

    first_threshold: Tensor

    def __init__(self, encoder: PackedEncoder, masks: Mapping[str, BlockMask]) -> None:
        super().__init__()
        self.encoder, self._names = encoder, tuple(masks)
        self._masks = nn.ModuleList(masks.values())
        self.register_buffer("first_threshold", torch.tensor(0.0))

    def forward(self, **inputs: Tensor) -> Tensor:
        weights = dict(self.encoder.named_parameters())
        masked = {name: mask(weights[name]) for name, mask in self.masks.items()}
        return cast(Tensor, functional_call(self.encoder, masked, (), inputs))

    @property
    def masks(self) -> dict[str, BlockMask]:
        return {name: cast(BlockMask, mask) for name, mask in zip(self._names, self._masks, strict=True)}
