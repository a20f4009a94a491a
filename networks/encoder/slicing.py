"""Parts of an encoder cut out of it: a smaller encoder, which computes what the large one does without the rest.

Masking gives the same numbers and saves nothing; what is cut is faster on every engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from networks.encoder.modules import POSITIONS, PackedEncoder, Weights
from networks.encoder.shape import EncoderShape

LAYERS = "bert.encoder.layer."

Places = Tensor | slice
"""Some of the rows or columns of a matrix: their numbers, int64, or a slice, which makes views and no copies."""


@dataclass(frozen=True, slots=True)
class KeptLayer:
    """Of layer `layer` of an encoder, the heads and the feed-forward units that remain, by their numbers from 0."""

    layer: int
    heads: tuple[int, ...]
    units: tuple[int, ...]


def everything(shape: EncoderShape) -> list[KeptLayer]:
    """All layers with all that they have."""
    sizes = enumerate(zip(shape.heads, shape.units, strict=True))
    return [KeptLayer(layer, tuple(range(heads)), tuple(range(units))) for layer, (heads, units) in sizes]


def sliced(encoder: PackedEncoder, kept: Sequence[KeptLayer]) -> PackedEncoder:
    """A new encoder of the layers in `kept`, in that order, with copies of the weights; in the mode of `encoder`.

    Each layer needs a head and a unit at least.
    """
    assert all(one.heads and one.units for one in kept), "this is a bug: a layer needs a head and a unit"
    heads, units = tuple(len(one.heads) for one in kept), tuple(len(one.units) for one in kept)
    device, size = encoder.classifier.weight.device, encoder.shape.head_size
    small = PackedEncoder(replace(encoder.shape, heads=heads, units=units)).to(device)
    places = [
        (one.layer, head_columns(one.heads, size).to(device), torch.tensor(one.units, device=device)) for one in kept
    ]
    small.load_state_dict(cut_weights(encoder.state_dict(), places))
    return small.train(encoder.training)


def head_columns(heads: Sequence[int], head_size: int) -> Tensor:
    """The places of these heads in a projection of all heads, int64, (heads * head_size,)."""
    return (torch.tensor(heads)[:, None] * head_size + torch.arange(head_size)).flatten()


def cut_weights(weights: Weights, kept: Sequence[tuple[int, Places, Places]]) -> Weights:
    """The weights of an encoder of some layers alone, under the names that they have there.

    For each layer: its number, and which columns of the attention and which units of it remain.
    """
    found = {name: weight for name, weight in weights.items() if not name.startswith(LAYERS)}
    for place, (layer, columns, units) in enumerate(kept):
        old, new = f"{LAYERS}{layer}.", f"{LAYERS}{place}."
        whole = {name.removeprefix(old): weight for name, weight in weights.items() if name.startswith(old)}
        found |= {new + name: weight for name, weight in _cut(whole, columns, units).items()}
    return found


def with_positions(encoder: PackedEncoder, count: int) -> PackedEncoder:
    """A new encoder for texts of at most `count` tokens, no more than before; it answers those as `encoder` does."""
    short = PackedEncoder(replace(encoder.shape, max_tokens=count)).to(encoder.classifier.weight.device)
    weights = encoder.state_dict()
    short.load_state_dict(weights | {POSITIONS: weights[POSITIONS][:count]})
    return short.train(encoder.training)


def _cut(layer: Weights, columns: Places, units: Places) -> Weights:
    """What is kept of the weights of a layer, by their names in it."""
    outputs = {f"attention.self.{name}": columns for name in ("query", "key", "value")} | {"intermediate.dense": units}
    inputs = {"attention.output.dense": columns, "output.dense": units}

    def cut(name: str, weight: Tensor) -> Tensor:
        module, _, kind = name.rpartition(".")
        if module in outputs:
            return weight[outputs[module]]
        if module in inputs and kind == "weight":
            return weight[:, inputs[module]]
        return weight

    return {name: cut(name, weight) for name, weight in layer.items()}
