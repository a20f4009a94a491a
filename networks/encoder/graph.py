"""The network of `networks.encoder.modules`, written out in ONNX operators.

`torch.onnx.export` works on that network too, but decomposes its attention into per-layer chains of Slice, Where
and IsNaN that ONNX Runtime does not remove. Written by hand, each layer is 26 nodes with names that people can
read (`layer.0.attention.qkv`), which is also how `int8` tells the linear layers apart.

Three things are decided here, once for every engine: query, key and value come from one matrix product; the
attention's scale is folded into the query's weights; the mask is computed once and shared by all layers.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from networks.encoder.modules import PACKED_INPUTS, PackedEncoder
from networks.encoder.onnx_operators import MODERN, Array, Dialect, GraphBuilder

WORD_EMBEDDINGS = "embeddings.word"

# Softmax makes an exact zero of it, and it fits in half precision.
MASKED = -1e4


class _Writer:
    """Writes the packed classifier of `model` into a graph, part by part; each part returns its output's name."""

    def __init__(self, model: PackedEncoder, dialect: Dialect) -> None:
        self._shape = model.shape
        self._weights = {name: weight.detach().cpu().numpy() for name, weight in model.state_dict().items()}
        self._graph = GraphBuilder(dialect)

    def write(self) -> onnx.ModelProto:
        mask, hidden = self._mask(), self._embeddings()
        for layer in range(self._shape.layers):
            hidden = self._layer(layer, hidden, mask)
        self._head(hidden)
        shapes = {name: ["rows", "tokens"] for name in PACKED_INPUTS[:4]} | {"cls_index": ["requests"]}
        graph = helper.make_graph(
            self._graph.nodes,
            "bert-classifier",
            [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in shapes.items()],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["requests", len(self._shape.labels)])],
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
        heads, size = self._shape.heads[layer], self._shape.head_size
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
        scale = np.float32(self._shape.head_size**-0.5)
        scaled = [(query * scale, query_bias * scale), *others]
        return np.concatenate([weight for weight, _ in scaled]), np.concatenate([bias for _, bias in scaled])

    def _residual(self, name: str, inner: str, hidden: str, prefix: str) -> str:
        projected = self._linear(name, inner, *self._pair(f"{prefix}.dense"))
        return self._layer_norm(
            f"{name}.norm", self._graph.op("Add", f"{name}.sum", projected, hidden), f"{prefix}.LayerNorm"
        )

    def _head(self, hidden: str) -> None:
        op = self._graph.op
        tokens = op("Reshape", "pooler.tokens", hidden, self._graph.ints(-1, self._shape.hidden_size))
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
        return self._graph.layer_norm(name, inner, *operands, self._shape.layer_norm_eps)

    def _pair(self, prefix: str) -> tuple[Array, Array]:
        return self._weights[f"{prefix}.weight"], self._weights[f"{prefix}.bias"]


def onnx_graph(model: PackedEncoder, dialect: Dialect = MODERN) -> onnx.ModelProto:
    """`model` as an ONNX graph, packed layout, fp32, all shapes dynamic.

    Inputs `input_ids, position_ids, token_type_ids, segment_ids` int64 (rows, tokens) and `cls_index` int64
    (requests,); output `logits` float32 (requests, labels).
    """
    return _Writer(model, dialect).write()


def save_onnx(graph: onnx.ModelProto, path: Path) -> None:
    """Write `graph` to `path` as one file, once it was found to be valid."""
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, path)
