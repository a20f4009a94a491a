"""Weights of an IR kept as bfloat16, which is half the size; the engine computes in it what it is told to."""

import numpy as np
import openvino
from numpy.typing import NDArray
from openvino import opset13


def round_matrices(model: openvino.Model) -> None:
    """Make each matrix among the model's constants one of bfloat16 and a conversion behind it.

    OpenVINO's own compression knows half precision only. Vectors stay: they are small, and norms are computed in fp32.
    """
    for node in model.get_ops():
        if node.get_type_name() == "Constant" and node.get_element_type() == openvino.Type.f32 and len(node.shape) == 2:
            converted = opset13.convert(_constant(node.data), "f32")
            for reader in list(node.output(0).get_target_inputs()):
                reader.replace_source_output(converted.output(0))


def _constant(weight: NDArray[np.float32]) -> openvino.Node:
    tensor = openvino.Tensor(openvino.Type.bf16, openvino.Shape(weight.shape))
    tensor.data.view(np.uint16)[:] = bfloat16_bits(weight)
    return openvino.op.Constant(tensor)


def bfloat16_bits(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper half of each number, rounded to nearest, and to even between two."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
