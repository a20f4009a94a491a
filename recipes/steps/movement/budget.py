"""Pruning to a budget: as a training goes on, fewer and fewer heads and units stay, those that are worth most.

What a head or a unit is worth is the mean square of its movement. Movement pruning sums the movements themselves; but
where a checkpoint is fine-tuned already, they cancel, and their squares do not: these are the diagonal of the empirical
Fisher information of the mask, half of which estimates what the loss gains by the head or unit (Kwon et al. 2022,
arXiv:2204.09656). They are on one scale for all layers, heads and units, so that worth by cost orders them all.
"""

from networks.encoder.modules import PackedEncoder
from networks.encoder.slicing import LAYERS, KeptLayer, everything
from recipes.steps.movement.costs import LinearCosts
from recipes.steps.movement.masks import BlockMask, MaskedEncoder
from recipes.steps.movement.ranking import Worth, kept_within
from recipes.steps.movement.schedule import Schedule

# Of the steps: before, the movements have not been seen often enough to choose by.
_WARM_UP = 0.2


class ToBudget:
    """The masks of an encoder on their way to costs of `share` of those that it has; a `Pruning`."""

    # Scores are not learnt: their gradients are only looked at.
    score_rate = 0.0
    penalty = 0.0

    def __init__(self, encoder: PackedEncoder, costs: LinearCosts, share: float, steps: int) -> None:
        self._shape, self._costs, self._share = encoder.shape, costs, share
        self._schedule = Schedule(round(_WARM_UP * steps), steps)
        masks: dict[str, BlockMask] = {}
        for layer, (heads, units) in enumerate(zip(encoder.shape.heads, encoder.shape.units, strict=True)):
            masks |= {_heads_of(layer): BlockMask(1, heads), _units_of(layer): BlockMask(1, units)}
        self.masked = MaskedEncoder(encoder, masks)

    def before_step(self, step: int) -> None:
        behind = self._schedule.at(step)
        if behind > 0:
            self._keep(self.kept_at(1 - behind * (1 - self._share)))

    def after_step(self, step: int) -> None:
        for mask in self.masked.masks.values():
            mask.note_movement()

    def kept_at(self, share: float) -> list[KeptLayer]:
        """Of the heads and units that are left, those that stay for this share of the costs of all."""
        limit = share * self._costs.of(self._shape)
        return kept_within(limit, self._costs, self.worths(), self._left())

    def worths(self) -> list[Worth]:
        """Of each layer."""
        masks, layers = self.masked.masks, range(self._shape.layers)
        pairs = [[masks[name(layer)].moved[0].tolist() for name in (_heads_of, _units_of)] for layer in layers]
        return [Worth(heads, units) for heads, units in pairs]

    def _left(self) -> list[KeptLayer]:
        masks = self.masked.masks

        def ones(name: str) -> tuple[int, ...]:
            return tuple(masks[name].kept[0].nonzero().flatten().tolist())

        return [
            KeptLayer(one.layer, ones(_heads_of(one.layer)), ones(_units_of(one.layer)))
            for one in everything(self._shape)
        ]

    def _keep(self, kept: list[KeptLayer]) -> None:
        masks = self.masked.masks
        for one in kept:
            for name, numbers in ((_heads_of(one.layer), one.heads), (_units_of(one.layer), one.units)):
                masks[name].kept.zero_()[0, list(numbers)] = 1


def _heads_of(layer: int) -> str:
    """The weight that takes what the heads found: without its columns of a head there is no such head."""
    return f"{LAYERS}{layer}.attention.output.dense.weight"


def _units_of(layer: int) -> str:
    return f"{LAYERS}{layer}.output.dense.weight"
