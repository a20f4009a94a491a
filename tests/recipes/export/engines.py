"""The artifacts of a recipe, asked directly."""

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import openvino
from numpy.typing import NDArray

Packed = dict[str, NDArray[np.int64]]
Logits = NDArray[np.float32]


def onnxruntime_logits(file: Path, packed: Packed) -> Logits:
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    logits: Logits = session.run(["logits"], packed)[0]
    return logits


def openvino_logits(file: Path, packed: Packed) -> Logits:
    compiled = openvino.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.array(compiled(packed)[0])


ASK = {"model.onnx": onnxruntime_logits, "model.xml": openvino_logits}


def onnxruntime_operators(file: Path, scratch: Path) -> Counter[str]:
    """What ONNX Runtime runs once it has fused the nodes of `file`."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(scratch / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(scratch / "optimized.onnx").graph.node)


def openvino_operators(file: Path) -> Counter[tuple[str, str]]:
    """What `file` holds, as (kind, type of the output); what OpenVINO makes of it depends on the processor."""
    nodes = openvino.Core().read_model(file).get_ops()
    return Counter((node.get_type_name(), node.get_output_element_type(0).get_type_name()) for node in nodes)


def openvino_rounded(file: Path) -> set[str]:
    """The products of `file` whose input is rounded, by their names."""
    products = [node for node in openvino.Core().read_model(file).get_ops() if node.get_type_name() == "MatMul"]
    return {
        node.get_friendly_name()
        for node in products
        if node.input_value(0).get_node().get_type_name() == "FakeQuantize"
    }
