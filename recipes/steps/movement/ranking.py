"""Which heads and units stay within a budget: those that are worth most for what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import KeptLayer
from recipes.steps.movement.costs import LinearCosts

UNITS_TOGETHER = 32
"""Units stay or go in so many: engines multiply in tiles, and half a tile takes as long as a whole one."""

# Of the worth of all that stays. A layer that has less is left out whole.
_NEGLIGIBLE = 1e-3


@dataclass(frozen=True, slots=True)
class Worth:
    """What each head and each unit of a layer is worth, by its number; more is better, and worths can be added."""

    heads: list[float]
    units: list[float]

    def of(self, kept: KeptLayer) -> float:
        return sum(self.heads[i] for i in kept.heads) + sum(self.units[i] for i in kept.units)


@dataclass(frozen=True, slots=True)
class _Part:
    """A head, or some units, of a layer."""

    layer: int
    kind: str
    members: tuple[int, ...]
    worth: float
    cost: float


def kept_within(
    limit: float, costs: LinearCosts, worths: Sequence[Worth], among: Sequence[KeptLayer]
) -> list[KeptLayer]:
    """Of the heads and units `among`, those that stay for costs of at most `limit`.

    `worths` are of all layers of the encoder, by their numbers. Every layer of `among` keeps its best head and its best
    units, also where these alone cost more.
    """
    chosen, others = [], []
    for layer in among:
        for parts in (_heads(layer, worths, costs), _units(layer, worths, costs)):
            chosen.append(parts[0])
            others += parts[1:]
    spent = costs.base + sum(part.cost for part in chosen)
    for part in sorted(others, key=lambda part: part.worth / part.cost, reverse=True):
        if spent + part.cost <= limit:
            chosen.append(part)
            spent += part.cost
    return [KeptLayer(one.layer, _members(chosen, one, "head"), _members(chosen, one, "unit")) for one in among]


def without_negligible(kept: Sequence[KeptLayer], worths: Sequence[Worth]) -> list[KeptLayer]:
    """The layers without those that have next to nothing of the worth of all; the best one stays in any case."""
    found = {one: worths[one.layer].of(one) for one in kept}
    least = _NEGLIGIBLE * sum(found.values())
    return [one for one in kept if found[one] >= least] or [max(kept, key=lambda one: found[one])]


def least_shape(shape: EncoderShape) -> EncoderShape:
    """The smallest that `kept_within` makes of a shape."""
    return replace(shape, heads=(1,) * shape.layers, units=tuple(min(UNITS_TOGETHER, one) for one in shape.units))


def shape_of(kept: Sequence[KeptLayer], shape: EncoderShape) -> EncoderShape:
    """The shape that remains of `shape`."""
    return replace(shape, heads=tuple(len(one.heads) for one in kept), units=tuple(len(one.units) for one in kept))


def _heads(layer: KeptLayer, worths: Sequence[Worth], costs: LinearCosts) -> list[_Part]:
    """From the best to the worst."""
    worth = worths[layer.layer].heads
    order = sorted(layer.heads, key=lambda head: worth[head], reverse=True)
    return [_Part(layer.layer, "head", (head,), worth[head], costs.head) for head in order]


def _units(layer: KeptLayer, worths: Sequence[Worth], costs: LinearCosts) -> list[_Part]:
    """From the best to the worst, some together."""
    worth = worths[layer.layer].units
    order = sorted(layer.units, key=lambda unit: worth[unit], reverse=True)
    groups = [tuple(order[at : at + UNITS_TOGETHER]) for at in range(0, len(order), UNITS_TOGETHER)]
    return [
        _Part(layer.layer, "unit", group, sum(worth[unit] for unit in group), len(group) * costs.unit)
        for group in groups
    ]


def _members(parts: Sequence[_Part], layer: KeptLayer, kind: str) -> tuple[int, ...]:
    of_layer = (part.members for part in parts if part.layer == layer.layer and part.kind == kind)
    return tuple(sorted(member for members in of_layer for member in members))
