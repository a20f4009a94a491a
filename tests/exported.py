"""A folder as people export their classifiers to: `model.onnx` with padded inputs, `tokenizer.json`, `config.json`."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from networks.checkpoint import load_checkpoint
from networks.encoder.graph import onnx_graph
from networks.encoder.modules import PACKED_INPUTS

FILES = ("config.json", "tokenizer.json")


@dataclass(frozen=True, slots=True)
class Export:
    """How a graph is exported: its inputs and their type, what it fixes of their shape, how it calls its output."""

    inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids")
    dtype: int = TensorProto.INT64
    rows: int | None = None
    width: int | None = None
    output: str = "logits"


AS_USUAL = Export()


def exported(checkpoint: Path, folder: Path, export: Export = AS_USUAL) -> Path:
    """An export of a checkpoint into a new folder, where nothing but the export is."""
    folder.mkdir(parents=True)
    for file in FILES:
        shutil.copyfile(checkpoint / file, folder / file)
    graph = padded_graph(checkpoint, export)
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, folder / "model.onnx")
    return folder


def padded_graph(checkpoint: Path, export: Export) -> onnx.ModelProto:
    """The packed graph of a checkpoint behind nodes that make its inputs of padded ones: a row is one segment."""
    model = onnx_graph(load_checkpoint(checkpoint))
    renamed = {name: f"packed.{name}" for name in PACKED_INPUTS} | {"logits": export.output}
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    shape = [export.rows or "batch", export.width or "sequence"]
    labels = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    graph = helper.make_graph(
        [*_packing(export), *model.graph.node],
        "exported",
        [helper.make_tensor_value_info(name, export.dtype, shape) for name in export.inputs],
        [helper.make_tensor_value_info(export.output, TensorProto.FLOAT, [shape[0], labels])],
        [*model.graph.initializer, *(numpy_helper.from_array(np.array(n, np.int64), f"number.{n}") for n in (0, 1))],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _packing(export: Export) -> list[NodeProto]:
    """Nodes that make the packed inputs; a graph without token types has zeros for them."""
    node = helper.make_node
    casts = [node("Cast", [name], [f"cast.{name}"], to=TensorProto.INT64) for name in export.inputs]
    if "token_type_ids" not in export.inputs:
        zero = numpy_helper.from_array(np.zeros(1, np.int64))
        casts.append(node("ConstantOfShape", ["shape"], ["cast.token_type_ids"], value=zero))
    return [
        node("Shape", ["input_ids"], ["shape"]),
        *casts,
        node("Gather", ["shape", "number.0"], ["rows"]),
        node("Gather", ["shape", "number.1"], ["width"]),
        node("Mul", ["rows", "width"], ["tokens"]),
        node("Range", ["number.0", "width", "number.1"], ["places"]),
        node("Expand", ["places", "shape"], ["packed.position_ids"]),
        node("Range", ["number.0", "tokens", "width"], ["packed.cls_index"]),
        node("Identity", ["cast.input_ids"], ["packed.input_ids"]),
        node("Identity", ["cast.token_type_ids"], ["packed.token_type_ids"]),
        node("Identity", ["cast.attention_mask"], ["packed.segment_ids"]),
    ]
