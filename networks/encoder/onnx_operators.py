"""A graph of ONNX operators under construction, in the dialect of an engine."""

import math
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a graph is written for an engine.

    LayerNormalization is an operator since opset 17, Gelu since 20; before, both are written as what they are made of.
    `compares` is whether the engine has operators that compare integers.
    """

    opset: int
    ir_version: int
    compares: bool = True


MODERN = Dialect(20, 10)

# DeepSparse reads what PyTorch exported in its day, and runs comparisons outside of what it compiles.
DEEPSPARSE = Dialect(14, 7, compares=False)

Array = NDArray[np.float32] | NDArray[np.int64]


class GraphBuilder:
    """A graph under construction: each `op` appends one node and returns the name of its output."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Array) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def number(self, value: float) -> str:
        return self.constant(f"number_{value:g}", np.array(value, np.float32))

    def ints(self, *values: int) -> str:
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def op(self, kind: str, name: str, *inputs: str, **attributes: float | list[int]) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def split(self, name: str, source: str, parts: list[str], size: int) -> None:
        sizes = self.ints(*[size] * len(parts))
        self.nodes.append(helper.make_node("Split", [source, sizes], parts, name=name, axis=-1))

    def gelu(self, name: str, x: str) -> str:
        if self.dialect.opset >= 20:
            return self.op("Gelu", name, x)
        error = self.op("Erf", f"{name}.erf", self.op("Div", f"{name}.scaled", x, self.number(math.sqrt(2))))
        product = self.op("Mul", f"{name}.product", x, self.op("Add", f"{name}.shifted", error, self.number(1)))
        return self.op("Mul", name, product, self.number(0.5))

    def layer_norm(self, name: str, x: str, weight: str, bias: str, epsilon: float) -> str:
        if self.dialect.opset >= 17:
            return self.op("LayerNormalization", name, x, weight, bias, axis=-1, epsilon=epsilon)
        centred = self.op("Sub", f"{name}.centred", x, self.op("ReduceMean", f"{name}.mean", x, axes=[-1]))
        squared = self.op("Pow", f"{name}.squared", centred, self.number(2))
        variance = self.op("ReduceMean", f"{name}.variance", squared, axes=[-1])
        spread = self.op("Sqrt", f"{name}.spread", self.op("Add", f"{name}.positive", variance, self.number(epsilon)))
        weighted = self.op("Mul", f"{name}.weighted", self.op("Div", f"{name}.scaled", centred, spread), weight)
        return self.op("Add", name, weighted, bias)
