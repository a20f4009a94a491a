"""Sub-networks of an encoder that keep the first heads and units of its layers: views of its weights, no copies.

They cost what encoders of their size cost, in training too, and what is trained are the weights of the whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import functional_call

from networks.encoder.modules import PackedEncoder, Weights
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import KeptLayer, cut_weights


@dataclass(frozen=True, slots=True)
class LayerPrefix:
    """Of layer `layer` of an encoder the first `heads` heads and the first `units` feed-forward units."""

    layer: int
    heads: int
    units: int


SubNetwork = tuple[LayerPrefix, ...]
"""The layers that remain, in their order."""


def shape_of(whole: EncoderShape, kept: SubNetwork) -> EncoderShape:
    """The shape of a sub-network of an encoder."""
    return replace(whole, heads=tuple(one.heads for one in kept), units=tuple(one.units for one in kept))


def kept_layers(kept: SubNetwork) -> list[KeptLayer]:
    """A sub-network as `networks.encoder.slicing.sliced` cuts it out."""
    return [KeptLayer(one.layer, tuple(range(one.heads)), tuple(range(one.units))) for one in kept]


def prefix_logits(encoder: PackedEncoder, kept: SubNetwork, inputs: dict[str, Tensor]) -> Tensor:
    """What a sub-network answers, (requests, labels), in the mode of `encoder`, to whose weights gradients go."""
    weights: Weights = dict(encoder.named_parameters())
    logits: Tensor = functional_call(_frame(encoder, kept), _views(weights, encoder, kept), kwargs=inputs)
    return logits


def shared_prefix(encoder: PackedEncoder, kept: SubNetwork) -> PackedEncoder:
    """A sub-network that reads the weights of `encoder` where they lie: to ask, not to train."""
    small = _frame(encoder, kept)
    small.load_state_dict(_views(encoder.state_dict(), encoder, kept), assign=True)
    return small


def _frame(encoder: PackedEncoder, kept: SubNetwork) -> PackedEncoder:
    """The modules of a sub-network, without weights."""
    with torch.device("meta"):
        return PackedEncoder(shape_of(encoder.shape, kept)).train(encoder.training)


def _views(weights: Weights, encoder: PackedEncoder, kept: Sequence[LayerPrefix]) -> Weights:
    size = encoder.shape.head_size
    return cut_weights(weights, [(one.layer, slice(one.heads * size), slice(one.units)) for one in kept])
