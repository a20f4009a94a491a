"""The network of `networks.encoder`, written out in ONNX operators.

`torch.onnx.export` works on that network too, but decomposes its attention into per-layer chains of Slice, Where
and IsNaN that ONNX Runtime does not remove. Written by hand, each layer is 26 nodes with names that people can
read (`layer.0.attention.qkv`), which is also how `int8` tells the linear layers apart.

Three things are decided here, once for every engine: query, key and value come from one matrix product; the
attention's scale is folded into the query's weights; the mask is computed once and shared by all layers.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from networks.encoder import PACKED_INPUTS, BertClassifier


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

WORD_EMBEDDINGS = "embeddings.word"

# Softmax makes an exact zero of it, and it fits in half precision.
MASKED = -1e4

Array = NDArray[np.float32] | NDArray[np.int64]


class _Graph:
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


class _Writer:
    """Writes the packed classifier of `model` into a graph, part by part; each part returns its output's name."""

    def __init__(self, model: BertClassifier, dialect: Dialect) -> None:
        self._config = model.config
        self._weights = {name: weight.detach().cpu().numpy() for name, weight in model.state_dict().items()}
        self._graph = _Graph(dialect)

    def write(self) -> onnx.ModelProto:
        mask, hidden = self._mask(), self._embeddings()
        for layer in range(self._config.layers):
            hidden = self._layer(layer, hidden, mask)
        self._head(hidden)
        shapes = {name: ["rows", "tokens"] for name in PACKED_INPUTS[:4]} | {"cls_index": ["requests"]}
        graph = helper.make_graph(
            self._graph.nodes,
            "bert-classifier",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in shapes.items()],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["requests", len(self._config.labels)])],
            list(self._graph.constants.values()),
        )
        dialect = self._graph.dialect
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", dialect.opset)],
            ir_version=dialect.ir_version,
            producer_name="paretoserve",
        )

    def _mask(self) -> str:
        """(rows, 1, tokens, tokens): 0 inside a segment, `MASKED` across."""
        op, graph = self._graph.op, self._graph
        if not graph.dialect.compares:
            return self._arithmetic_mask()
        queries = op("Unsqueeze", "mask.queries", "segment_ids", graph.ints(1, 3))
        keys = op("Unsqueeze", "mask.keys", "segment_ids", graph.ints(1, 2))
        same = op("Equal", "mask.same", queries, keys)
        allowed = graph.constant("mask.allowed", np.array(0.0, np.float32))
        return op("Where", "mask", same, allowed, graph.constant("mask.masked", np.array(MASKED, np.float32)))

    def _arithmetic_mask(self) -> str:
        """The same with more than `MASKED` across: the square of how many segments two tokens are apart."""
        op, graph = self._graph.op, self._graph
        segments = op("Cast", "mask.segments", "segment_ids", to=TensorProto.FLOAT)
        queries = op("Unsqueeze", "mask.queries", segments, graph.ints(1, 3))
        keys = op("Unsqueeze", "mask.keys", segments, graph.ints(1, 2))
        apart = op("Pow", "mask.apart", op("Sub", "mask.difference", queries, keys), graph.number(2))
        return op("Mul", "mask", apart, graph.number(MASKED))

    def _embeddings(self) -> str:
        words = self._lookup("word", "input_ids")
        placed = self._graph.op("Add", "embeddings.placed", words, self._lookup("position", "position_ids"))
        summed = self._graph.op("Add", "embeddings.sum", placed, self._lookup("token_type", "token_type_ids"))
        return self._layer_norm("embeddings.norm", summed, "bert.embeddings.LayerNorm")

    def _lookup(self, table: str, ids: str) -> str:
        name = f"embeddings.{table}"
        weight = self._graph.constant(f"{name}.weight", self._weights[f"bert.embeddings.{table}_embeddings.weight"])
        return self._graph.op("Gather", name, weight, ids)

    def _layer(self, layer: int, hidden: str, mask: str) -> str:
        name, prefix = f"layer.{layer}", f"bert.encoder.layer.{layer}"
        mixed = self._attention(layer, hidden, mask)
        hidden = self._residual(f"{name}.attention.output", mixed, hidden, f"{prefix}.attention.output")
        inner = self._linear(f"{name}.intermediate", hidden, *self._pair(f"{prefix}.intermediate.dense"))
        inner = self._graph.gelu(f"{name}.gelu", inner)
        return self._residual(f"{name}.output", inner, hidden, f"{prefix}.output")

    def _attention(self, layer: int, hidden: str, mask: str) -> str:
        """(rows, tokens, heads * head_size): for each token its mixture of its own segment."""
        op, name = self._graph.op, f"layer.{layer}.attention"
        heads, size = self._config.heads[layer], self._config.head_size
        qkv = self._linear(f"{name}.qkv", hidden, *self._query_key_value(layer))
        parts = [f"{name}.query", f"{name}.key", f"{name}.value"]
        self._graph.split(f"{name}.split", qkv, parts, heads * size)
        query, key, value = (
            self._graph.op("Reshape", f"{p}.split", p, self._graph.ints(0, 0, heads, size)) for p in parts
        )
        query, value = (op("Transpose", f"{part}.heads", part, perm=[0, 2, 1, 3]) for part in (query, value))
        key = op("Transpose", f"{key}.heads", key, perm=[0, 2, 3, 1])
        scores = op("Add", f"{name}.masked", op("MatMul", f"{name}.scores", query, key), mask)
        mixed = op("MatMul", f"{name}.mixed", op("Softmax", f"{name}.softmax", scores, axis=-1), value)
        tokens = op("Transpose", f"{name}.tokens", mixed, perm=[0, 2, 1, 3])
        return op("Reshape", f"{name}.merged", tokens, self._graph.ints(0, 0, heads * size))

    def _query_key_value(self, layer: int) -> tuple[Array, Array]:
        prefix = f"bert.encoder.layer.{layer}.attention.self"
        (query, query_bias), *others = (self._pair(f"{prefix}.{part}") for part in ("query", "key", "value"))
        scale = np.float32(self._config.head_size**-0.5)
        scaled = [(query * scale, query_bias * scale), *others]
        return np.concatenate([weight for weight, _ in scaled]), np.concatenate([bias for _, bias in scaled])

    def _residual(self, name: str, inner: str, hidden: str, prefix: str) -> str:
        projected = self._linear(name, inner, *self._pair(f"{prefix}.dense"))
        return self._layer_norm(
            f"{name}.norm", self._graph.op("Add", f"{name}.sum", projected, hidden), f"{prefix}.LayerNorm"
        )

    def _head(self, hidden: str) -> None:
        op = self._graph.op
        tokens = op("Reshape", "pooler.tokens", hidden, self._graph.ints(-1, self._config.hidden_size))
        first = op("Gather", "pooler.first", tokens, "cls_index")
        pooled = op("Tanh", "pooler.tanh", self._linear("pooler", first, *self._pair("bert.pooler.dense")))
        weight, bias = self._pair("classifier")
        operands = self._graph.constant("classifier.weight", weight.T), self._graph.constant("classifier.bias", bias)
        op("Gemm", "logits", pooled, *operands)

    def _linear(self, name: str, inner: str, weight: Array, bias: Array) -> str:
        """`weight` is (out, in), as torch keeps it."""
        product = self._graph.op("MatMul", name, inner, self._graph.constant(f"{name}.weight", weight.T))
        return self._graph.op("Add", f"{name}.biased", product, self._graph.constant(f"{name}.bias", bias))

    def _layer_norm(self, name: str, inner: str, prefix: str) -> str:
        weight, bias = self._pair(prefix)
        operands = self._graph.constant(f"{name}.weight", weight), self._graph.constant(f"{name}.bias", bias)
        return self._graph.layer_norm(name, inner, *operands, self._config.layer_norm_eps)

    def _pair(self, prefix: str) -> tuple[Array, Array]:
        return self._weights[f"{prefix}.weight"], self._weights[f"{prefix}.bias"]


def onnx_graph(model: BertClassifier, dialect: Dialect = MODERN) -> onnx.ModelProto:
    """`model` as an ONNX graph, packed layout, fp32, all shapes dynamic.

    Inputs `input_ids, position_ids, token_type_ids, segment_ids` int64 (rows, tokens) and `cls_index` int64
    (requests,); output `logits` float32 (requests, labels).
    """
    return _Writer(model, dialect).write()


def save_onnx(graph: onnx.ModelProto, path: Path) -> None:
    """Write `graph` to `path` as one file, once it was found to be valid."""
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)
