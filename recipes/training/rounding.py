"""An encoder that computes in floats what its INT8 form will: for training with the rounding, and to see what it costs.

The arithmetic is that of `recipes.export.onnx_int8`. Gradients pass through the rounding as if it were not there, and
not where an activation lies outside of its range. Jacob et al. 2018, arXiv:1712.05877.
"""

import copy
from collections.abc import Callable, Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from networks.encoder.modules import PackedEncoder
from networks.encoder.shape import EncoderShape
from networks.encoder.slicing import LAYERS
from recipes.data.tokens import Packed
from recipes.export.rounding import LARGEST_ACTIVATION, LARGEST_WEIGHT, SMALLEST, Range
from recipes.training.device import on_device
from recipes.training.evaluation import Evaluation

WORD_EMBEDDINGS = "bert.embeddings.word_embeddings"

# The linear layers of a layer as its graph names them, and of which modules each is made.
_PARTS = {
    "attention.qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.output": ("attention.output.dense",),
    "intermediate": ("intermediate.dense",),
    "output": ("output.dense",),
}


def linear_modules(shape: EncoderShape) -> dict[str, tuple[str, ...]]:
    """The linear layers of all layers: by the name in the graph (`layer.0.attention.qkv`) the names of the modules."""
    return {
        f"layer.{layer}.{part}": tuple(f"{LAYERS}{layer}.{module}" for module in modules)
        for layer in range(shape.layers)
        for part, modules in _PARTS.items()
    }


class RoundedLinear(nn.Linear):
    """A linear layer whose input is rounded to bytes of a range, and whose weight is, by output unit; shares the
    weights of `exact`."""

    def __init__(self, exact: nn.Linear, observed: Range) -> None:
        super().__init__(exact.in_features, exact.out_features, device="meta")
        self.weight, self.bias = exact.weight, exact.bias
        self._scale, self._zero = float(observed.scale), int(observed.zero_point)

    def forward(self, inner: Tensor) -> Tensor:
        # In bf16 the product would round the rounded numbers once more.
        with torch.autocast(inner.device.type, enabled=False):
            inputs = torch.fake_quantize_per_tensor_affine(
                inner.float(), self._scale, self._zero, 0, LARGEST_ACTIVATION
            )
            return functional.linear(inputs, _rounded_rows(self.weight), self.bias)


class RoundedEmbedding(nn.Embedding):
    """A table whose rows are rounded to bytes; shares the weights of `exact`."""

    def __init__(self, exact: nn.Embedding) -> None:
        super().__init__(exact.num_embeddings, exact.embedding_dim, device="meta")
        self.weight = exact.weight

    def forward(self, ids: Tensor) -> Tensor:
        found = super().forward(ids)
        return _rounded_rows(found.flatten(0, -2)).view_as(found)


def _rounded_rows(weight: Tensor) -> Tensor:
    """(rows, width), each row rounded to signed bytes with a scale of its own."""
    scales = weight.detach().abs().amax(dim=1).clamp_min(SMALLEST) / LARGEST_WEIGHT
    zeros = torch.zeros_like(scales, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -LARGEST_WEIGHT, LARGEST_WEIGHT)


def rounded_encoder(
    encoder: PackedEncoder, ranges: Mapping[str, Range], layers: Collection[str] | None = None
) -> PackedEncoder:
    """A copy of `encoder` that computes as its INT8 form will, with the same names of weights.

    `ranges` are those of the inputs of the linear layers. With `layers`, only those linear layers are rounded, and the
    word embeddings are not.
    """
    found = copy.deepcopy(encoder)
    for layer, modules in linear_modules(encoder.shape).items():
        if layers is None or layer in layers:
            for name in modules:
                exact = found.get_submodule(name)
                assert isinstance(exact, nn.Linear), "this is a bug: it was rounded already"
                found.set_submodule(name, RoundedLinear(exact, ranges[layer]))
    if layers is None:
        table = found.get_submodule(WORD_EMBEDDINGS)
        assert isinstance(table, nn.Embedding), "this is a bug: the words have a table"
        found.set_submodule(WORD_EMBEDDINGS, RoundedEmbedding(table))
    return found


def input_ranges(encoder: PackedEncoder, inputs: Sequence[Packed]) -> dict[str, Range]:
    """The smallest and largest value of each linear layer's input over `inputs`, each a text alone."""
    layers = linear_modules(encoder.shape)
    ranges = dict.fromkeys(layers, Range())

    def widening(layer: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def widen(module: nn.Module, given: tuple[Tensor]) -> None:
            ranges[layer] = ranges[layer].widened(given[0])

        return widen

    watched = copy.deepcopy(encoder).eval()
    for layer, modules in layers.items():
        watched.get_submodule(modules[0]).register_forward_pre_hook(widening(layer))
    with torch.inference_mode():
        for packed in inputs:
            watched(**on_device({name: torch.from_numpy(values) for name, values in packed.items()}, watched))
    return ranges


def rounding_costs(encoder: PackedEncoder, ranges: Mapping[str, Range], rows: Evaluation) -> dict[str, float]:
    """For each linear layer the mean square by which the logits of `rows` change if that layer alone is rounded."""
    exact = rows.logits(encoder)
    return {
        layer: float((rows.logits(rounded_encoder(encoder, ranges, {layer})) - exact).square().mean())
        for layer in linear_modules(encoder.shape)
    }
