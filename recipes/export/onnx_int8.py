"""Static INT8 of the graph of `networks.encoder.graph`, for ONNX Runtime.

Each linear layer of the encoder becomes QDQ: its input is rounded to unsigned bytes with one range for the tensor,
its weight to signed bytes with one scale per output unit, and ONNX Runtime fuses the four nodes to one
`MatMulIntegerToFloat`. The word embeddings become signed bytes with one scale per word. All else stays float, the
residual stream too, which `onnxruntime.quantization.quantize_static` would route through the rounded tensors.

The ranges are constants of the file (static). Dynamic quantization would take them from the batch at hand, and an
answer would then depend on whose requests it was computed with.

`recipes.export.rounding` has the arithmetic.
"""

import os
from collections.abc import Collection, Iterable

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from networks.encoder.graph import WORD_EMBEDDINGS
from recipes.data.tokens import Packed
from recipes.export.rounding import Floats, Range, rounded

# Before the import: unless told not to, it tells its makers of every model that it loads.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

Array = NDArray[np.generic]


def quantize_onnx(graph: ModelProto, inputs: Iterable[Packed], in_fp32: Collection[str] = ()) -> ModelProto:
    """The static INT8 form of `graph`, with the smallest and largest activations on `inputs` as ranges.

    The linear layers named in `in_fp32` stay as they are.
    """
    quantized = [node for node in encoder_linears(graph) if node.name not in in_fp32]
    linears, sources = {node.name for node in quantized}, sorted({node.input[0] for node in quantized})
    ranges = observed_ranges(graph, sources, inputs)
    quantizer = _Quantizer(graph)
    for node in graph.graph.node:
        if node.name in linears:
            quantizer.add_linear(node, ranges[node.input[0]])
        elif node.name == WORD_EMBEDDINGS:
            quantizer.add_embedding(node)
        else:
            quantizer.nodes.append(node)
    return quantizer.graph()


def encoder_linears(graph: ModelProto) -> list[NodeProto]:
    """The products with a constant matrix inside the layers; pooler and classifier are too small to matter."""
    constants = {constant.name for constant in graph.graph.initializer}
    return [
        node
        for node in graph.graph.node
        if node.op_type == "MatMul" and node.name.startswith("layer.") and node.input[1] in constants
    ]


def observed_ranges(graph: ModelProto, tensors: list[str], inputs: Iterable[Packed]) -> dict[str, Range]:
    """The smallest and largest value of each of `tensors` over `inputs`."""
    probed = ModelProto()
    probed.CopyFrom(graph)
    probed.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in tensors)
    session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    ranges = dict.fromkeys(tensors, Range())
    for packed in inputs:
        for name, values in zip(tensors, session.run(tensors, packed), strict=True):
            ranges[name] = ranges[name].widened(values)
    return ranges


class GraphRewriter:
    """Writes the nodes of a graph anew; its constants are those of the old one, replaced one by one."""

    def __init__(self, graph: ModelProto) -> None:
        self._old = graph
        self._constants = {constant.name: constant for constant in graph.graph.initializer}
        self.nodes: list[NodeProto] = []

    def graph(self) -> ModelProto:
        written = ModelProto()
        written.CopyFrom(self._old)
        del written.graph.node[:], written.graph.initializer[:]
        written.graph.node.extend(self.nodes)
        written.graph.initializer.extend(self._constants.values())
        return written

    def _op(self, kind: str, name: str, *inputs: str, **attributes: int) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _constant(self, name: str, value: Array) -> str:
        self._constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def _take(self, name: str) -> Floats:
        weight: Floats = numpy_helper.to_array(self._constants.pop(name))
        return weight


class _Quantizer(GraphRewriter):
    def add_linear(self, node: NodeProto, observed: Range) -> None:
        source, weight = node.input
        values, scales = rounded(self._take(weight), axis=1)
        zeros = np.zeros(scales.size, dtype=np.int8)
        rounded_weight = self._op(
            "DequantizeLinear",
            f"{weight}.rounded",
            self._constant(f"{weight}.i8", values),
            self._constant(f"{weight}.scale", scales.ravel()),
            self._constant(f"{weight}.zero", zeros),
            axis=1,
        )
        self._op("MatMul", node.output[0], self._rounded_activation(node.name, source, observed), rounded_weight)

    def _rounded_activation(self, name: str, source: str, observed: Range) -> str:
        parameters = (
            self._constant(f"{name}.input.scale", np.array(observed.scale)),
            self._constant(f"{name}.input.zero", np.array(observed.zero_point)),
        )
        quantized = self._op("QuantizeLinear", f"{name}.input.u8", source, *parameters)
        return self._op("DequantizeLinear", f"{name}.input.rounded", quantized, *parameters)

    def add_embedding(self, node: NodeProto) -> None:
        table, ids = node.input
        values, scales = rounded(self._take(table), axis=0)
        word = self._op("Gather", f"{node.name}.i8", self._constant(f"{table}.i8", values), ids)
        scale = self._op("Gather", f"{node.name}.scale", self._constant(f"{table}.scale", scales), ids)
        word = self._op("Cast", f"{node.name}.float", word, to=onnx.TensorProto.FLOAT)
        self._op("Mul", node.output[0], word, scale)
