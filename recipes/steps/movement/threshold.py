"""Pruning as the published recipe does it: scores are learnt against a pull downwards, and a threshold rises to 0.

Blocks of 32 by 32 in the attention; in the feed-forward part a score per unit. It masks the unit's column of the
output. The unit's row could be masked as well, with the same result; but then a masked unit has no gradient, and none
comes back. At the end a head stays if a single block of it does, and a unit if its score says so: they are whole again.
The published code is that of NNCF up to 2.19 (movement sparsity), the algorithm that of Lagunas et al. 2021.
"""

from math import gcd

import torch
from torch import Tensor

from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import LAYERS, KeptLayer
from recipes.steps.movement.masks import BlockMask, MaskedEncoder
from recipes.steps.movement.ranking import UNITS_TOGETHER
from recipes.steps.movement.schedule import Schedule

BLOCK = 32

# Of the steps: what the published recipe takes, an epoch of two.
_WARM_UP = 0.5

# Of a matrix, whatever the threshold says.
_ALWAYS_KEPT = 0.02

# Of all weights: the threshold begins where so many lie below it.
_FIRST_BELOW = 1e-3

_PROJECTIONS = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
_UNITS = "output.dense"


class ByThreshold:
    """The masks of an encoder, pulled down with a strength; a `Pruning`."""

    score_rate = 1e-2

    def __init__(self, encoder: PackedEncoder, strength: float, steps: int) -> None:
        self._shape, self._strength, self._pull = encoder.shape, strength, 0.0
        self._schedule = Schedule(round(_WARM_UP * steps), steps)
        weights = dict(encoder.named_parameters())
        masks = {}
        for layer in range(encoder.shape.layers):
            for part in (*_PROJECTIONS, _UNITS):
                name = _name(layer, part)
                masks[name] = BlockMask(*_blocks(part, weights[name], encoder.shape))
        self.masked = MaskedEncoder(encoder, masks)

    def before_step(self, step: int) -> None:
        behind = self._schedule.at(step)
        self._pull = behind * self._strength
        if step == self._schedule.begin:
            self.masked.first_threshold.fill_(self._first_threshold())
        if step >= self._schedule.begin:
            self._mask((1 - behind) * float(self.masked.first_threshold))

    def after_step(self, step: int) -> None:
        """Nothing: the optimizer has changed the scores."""

    @property
    def penalty(self) -> Tensor:
        """Added to the loss: the mean of the scores' sigmoids, each times half the weights that it stands for."""
        masks = self.masked.masks
        sizes = self._weights_by_score()
        means = [torch.sigmoid(mask.scores).mean() * sizes[name] / 2 for name, mask in masks.items()]
        return self._pull * torch.stack(means).mean()

    def kept(self) -> list[KeptLayer]:
        """What stays; a layer of which nothing would is left out whole, unless it is the last."""
        self._mask(0.0)
        chosen = [self._kept_of(layer) for layer in range(self._shape.layers)]
        alive = [layer for layer, (heads, units) in enumerate(chosen) if heads or units]
        return [self._with_the_least(layer, *chosen[layer]) for layer in alive or [self._shape.layers - 1]]

    def _kept_of(self, layer: int) -> tuple[list[int], list[int]]:
        """The heads of which a block is not masked, and the units that are not."""
        masks, count = self.masked.masks, self._shape.heads[layer]
        *inputs, output = (masks[_name(layer, part)].kept for part in _PROJECTIONS)
        rows = torch.stack([one.amax(1) for one in (*inputs, output.T)]).amax(0)
        heads = rows.view(count, -1).amax(1)
        return _ones(heads), _ones(masks[_name(layer, _UNITS)].kept[0])

    def _with_the_least(self, layer: int, heads: list[int], units: list[int]) -> KeptLayer:
        """A head at least, and units up to a number that costs no more time."""
        masks = self.masked.masks
        *inputs, output = (masks[_name(layer, part)].scores for part in _PROJECTIONS)
        of_heads = torch.stack([one.mean(1) for one in (*inputs, output.T)]).mean(0)
        of_heads = of_heads.view(self._shape.heads[layer], -1).mean(1)
        wanted = -(-max(1, len(units)) // UNITS_TOGETHER) * UNITS_TOGETHER
        of_units = masks[_name(layer, _UNITS)].scores[0]
        return KeptLayer(layer, _filled(heads, of_heads, max(1, len(heads))), _filled(units, of_units, wanted))

    def _mask(self, threshold: float) -> None:
        for mask in self.masked.masks.values():
            scores = mask.scores.detach()
            least = torch.quantile(scores, 1 - _ALWAYS_KEPT)
            mask.kept.copy_(scores > least.clamp(max=threshold))

    def _first_threshold(self) -> float:
        sizes = self._weights_by_score()
        masks = self.masked.masks.items()
        return lowest_share([mask.scores.detach() for _, mask in masks], [sizes[name] for name, _ in masks])

    def _weights_by_score(self) -> dict[str, int]:
        weights = dict(self.masked.encoder.named_parameters())
        return {name: weights[name].numel() // mask.scores.numel() for name, mask in self.masked.masks.items()}


def lowest_share(scores: list[Tensor], weights: list[int], share: float = _FIRST_BELOW) -> float:
    """The score that so large a share of all weights lies at or below, each score of `scores[i]` for `weights[i]`."""
    values = torch.cat([one.flatten() for one in scores]).cpu()
    counts = torch.cat([torch.full((one.numel(),), weight) for one, weight in zip(scores, weights, strict=True)])
    values, order = values.sort()
    behind = counts[order].cumsum(0)
    return float(values[torch.searchsorted(behind, int(share * int(behind[-1])) + 1)])


def _name(layer: int, part: str) -> str:
    return f"{LAYERS}{layer}.{part}.weight"


def _blocks(part: str, weight: Tensor, shape: EncoderShape) -> tuple[int, int]:
    """How many rows and columns of blocks a weight has; no block reaches over two heads."""
    if part == _UNITS:
        return 1, weight.shape[1]
    of_heads, of_hidden = gcd(BLOCK, shape.head_size), gcd(BLOCK, shape.hidden_size)
    rows, columns = weight.shape
    is_output = part == _PROJECTIONS[-1]
    return (rows // of_hidden, columns // of_heads) if is_output else (rows // of_heads, columns // of_hidden)


def _ones(mask: Tensor) -> list[int]:
    return [int(place) for place in mask.nonzero().flatten()]


def _filled(chosen: list[int], scores: Tensor, wanted: int) -> tuple[int, ...]:
    """`chosen`, and the best of the others until there are so many, or all."""
    others = [int(i) for i in scores.argsort(descending=True) if int(i) not in set(chosen)]
    return tuple(sorted([*chosen, *others[: max(0, wanted - len(chosen))]]))
