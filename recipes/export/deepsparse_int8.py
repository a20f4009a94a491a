"""Static INT8 of the graph of `networks.encoder.graph`, for DeepSparse.

It knows integer products as `MatMulInteger` of bytes, with the bias added to the sum, which is then made a float and
scaled, for each output unit by a factor of its own. What it makes of QDQ nodes, it computes in floats. The word
embeddings stay float: the engine ends its process on rounded ones.
"""

from collections.abc import Collection, Iterable

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from recipes.data.tokens import Packed
from recipes.export.onnx_int8 import GraphRewriter, encoder_linears, observed_ranges
from recipes.export.rounding import Range, rounded

# All that a signed byte holds: without VNNI the engine multiplies in more than bytes, so that nothing saturates.
_LARGEST_WEIGHT = 127

# Of a bias, which is added as an integer: half of what 32 bits hold, so that the sum has room.
_LARGEST_BIAS = 2**30

# Unsigned bytes stand for signed ones this much higher.
_WEIGHT_ZERO = 128


def quantize_for_deepsparse(graph: ModelProto, inputs: Iterable[Packed], in_fp32: Collection[str] = ()) -> ModelProto:
    """The static INT8 form of `graph`, which is in DeepSparse's dialect, with ranges of activations on `inputs`.

    The linear layers named in `in_fp32` stay as they are.
    """
    linears = {node.output[0]: node for node in encoder_linears(graph) if node.name not in in_fp32}
    sources = sorted({node.input[0] for node in linears.values()})
    quantizer = _Quantizer(graph, observed_ranges(graph, sources, inputs))
    for node in graph.graph.node:
        if node.op_type == "Add" and node.input[0] in linears:
            quantizer.add_linear(linears[node.input[0]], node)
        elif node.output[0] not in linears:
            quantizer.nodes.append(node)
    return quantizer.graph()


class _Quantizer(GraphRewriter):
    def __init__(self, graph: ModelProto, ranges: dict[str, Range]) -> None:
        super().__init__(graph)
        self._ranges = ranges
        self._rounded: set[str] = set()

    def add_linear(self, product: NodeProto, biased: NodeProto) -> None:
        """The product with a weight and the addition of a bias, in integers."""
        name, (source, weight), bias = product.name, product.input, biased.input[1]
        scale, biases = self._ranges[source].scale, self._take(bias)
        # A unit whose weights are all pruned still has its bias, which would not fit into an integer of their scale.
        least = np.abs(biases) * np.float32(_LARGEST_WEIGHT / _LARGEST_BIAS) / scale
        values, weight_scales = rounded(self._take(weight), 1, _LARGEST_WEIGHT, least)
        scales = scale * weight_scales.ravel()
        product_i32 = self._op(
            "MatMulInteger",
            f"{name}.i32",
            self._rounded_activation(source),
            self._constant(f"{weight}.u8", (values.astype(np.int16) + _WEIGHT_ZERO).astype(np.uint8)),
            f"{source}.zero",
            self._constant(f"{weight}.zero", np.array(_WEIGHT_ZERO, np.uint8)),
        )
        bias_i32 = self._constant(f"{bias}.i32", np.rint(biases / scales).astype(np.int32))
        total = self._op("Add", f"{name}.total.i32", product_i32, bias_i32)
        total = self._op("Cast", f"{name}.total", total, to=TensorProto.FLOAT)
        self._op("Mul", biased.output[0], total, self._constant(f"{name}.scale", scales))

    def _rounded_activation(self, source: str) -> str:
        name = f"{source}.u8"
        if name not in self._rounded:
            self._rounded.add(name)
            observed = self._ranges[source]
            scale = self._constant(f"{source}.scale", np.array(observed.scale))
            zero = self._constant(f"{source}.zero", np.array(observed.zero_point))
            self._op("QuantizeLinear", name, source, scale, zero)
        return name
