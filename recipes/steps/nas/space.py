"""Which sub-networks of an encoder there are: so many layers, and for each layer so many heads and units."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from networks.encoder.prefix import LayerPrefix, SubNetwork
from networks.encoder.shape import EncoderShape

# Engines compute whole tiles, so units come in multiples of 64 where there are many, and in about so many sizes.
TILE, SIZES = 64, 24

# A third of the layers at least: what is smaller answers by chance, and teaches the weights that it shares nothing.
FEWEST_LAYERS = 1 / 3

# How far the layers of a sub-network that is drawn differ in size, as a share of the whole.
SPREAD = 0.5


@dataclass(frozen=True, slots=True)
class Genes:
    """A sub-network as the search writes it: for every layer of the whole so many heads and so many steps of units,
    also for those that are dropped as there are `layers` only."""

    layers: int
    heads: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """All sub-networks of an encoder of shape `whole`, whose heads and units are in the order of their importance.

    `drop_order` are its layers in the order in which they are dropped; the last of them never is.
    """

    whole: EncoderShape
    drop_order: tuple[int, ...]

    @property
    def fewest_layers(self) -> int:
        return max(1, int(self.whole.layers * FEWEST_LAYERS))

    def step(self, layer: int) -> int:
        """The units of a layer come in multiples of so many."""
        units = self.whole.units[layer]
        return TILE * max(1, round(units / SIZES / TILE)) if units >= SIZES * TILE / 3 else max(1, units // SIZES)

    def steps(self, layer: int) -> int:
        """How many sizes the units of a layer have."""
        return ceil(self.whole.units[layer] / self.step(layer))

    def subnetwork(self, genes: Genes) -> SubNetwork:
        dropped = set(self.drop_order[: self.whole.layers - genes.layers])
        return tuple(
            LayerPrefix(layer, heads, min(steps * self.step(layer), self.whole.units[layer]))
            for layer, (heads, steps) in enumerate(zip(genes.heads, genes.steps, strict=True))
            if layer not in dropped
        )

    def scaled(self, share: float, layers: int | None = None) -> Genes:
        """The same share of all layers, or of so many."""
        return self.genes(layers or self.whole.layers, [share] * self.whole.layers, [share] * self.whole.layers)

    def genes(self, layers: int, heads: Sequence[float], units: Sequence[float]) -> Genes:
        """From shares of the whole for each layer, of which a head and a step of units remain at least."""
        sizes = list(enumerate(zip(heads, units, strict=True)))
        return Genes(
            layers,
            tuple(_part(share, self.whole.heads[layer]) for layer, (share, _) in sizes),
            tuple(_part(share, self.steps(layer)) for layer, (_, share) in sizes),
        )

    @property
    def largest(self) -> SubNetwork:
        return self.subnetwork(self.scaled(1.0))

    @property
    def smallest(self) -> SubNetwork:
        return self.subnetwork(self.scaled(0.0, self.fewest_layers))

    @property
    def numbers(self) -> int:
        """How many random numbers `drawn` takes."""
        return 2 + 2 * self.whole.layers

    def drawn(self, numbers: Sequence[float], least: float, most: float) -> SubNetwork:
        """One at random, of random numbers from 0 to 1: its layers keep about a share between `least` and `most`."""
        share, layers, *rest = numbers
        around = least + (most - least) * share
        shares = [around + SPREAD * (number - 0.5) for number in rest]
        count = self.fewest_layers + int(layers * (self.whole.layers - self.fewest_layers + 1))
        genes = self.genes(min(count, self.whole.layers), shares[::2], shares[1::2])
        return self.subnetwork(genes)


def _part(share: float, count: int) -> int:
    return min(max(1, round(share * count)), count)
