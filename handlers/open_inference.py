"""The Open Inference Protocol V2 (REST) around any task, with the binary tensor extension.

https://github.com/kserve/open-inference-protocol. The task names the texts that a request holds and the fields of an
answer; each is a tensor with an element per input. What the network gave comes as one more output, `logits`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handlers.payloads.codecs import too_many
from handlers.payloads.request import MAX_INPUTS
from handlers.payloads.v2 import InferBody, Tensor
from handlers.tasks.base import AnyTask, Floats
from handlers.v2_tensors import (
    DTYPES,
    Output,
    check_outputs,
    read_inference,
    texts_of,
    timeout_of,
    write_answer,
)
from model_store.errors import BadInput
from model_store.rows import Row

LOGITS = "logits"


@dataclass(frozen=True, slots=True)
class V2Request:
    """A request as the task has read it, and the body that says how it is to be answered."""

    asked: Any
    body: InferBody
    timeout_s: float = math.inf


def tensors_of(task: AnyTask) -> dict[str, list[dict[str, Any]]]:
    """The inputs and outputs of a task's models, as the protocol describes them to clients that ask."""
    outputs = [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in task.v2_outputs.items()]
    inputs: list[dict[str, Any]] = [
        {"name": one.name, "datatype": "BYTES", "shape": [-1]}
        | ({"parameters": {"optional": True}} if one.optional else {})
        for one in task.v2_inputs
    ]
    return {
        "inputs": inputs,
        "outputs": [*outputs, {"name": LOGITS, "datatype": "FP32", "shape": [-1, task.width]}],
    }


def decode_infer(body: bytes, json_length: int | None, task: AnyTask, max_inputs: int = MAX_INPUTS) -> V2Request:
    """Read an infer request; `json_length` is `Inference-Header-Content-Length`, None where there is no binary part.

    Raises:
        BadInput: it is not a request that the task can read.
        TooLarge: it has more inputs than `max_inputs`.
    """
    read, raw = read_inference(body, json_length, max_inputs)
    timeout_s = timeout_of(read)
    check_outputs(read, [*task.v2_outputs, LOGITS])
    _check_names(read.inputs, task)
    texts = {}
    for tensor, binary in zip(read.inputs, raw, strict=True):
        _check_tensor(tensor, max_inputs)
        texts[tensor.name] = texts_of(tensor, binary)
    return V2Request(task.read({"inputs": _inputs(texts, task)}), read, timeout_s)


def _check_names(inputs: Sequence[Tensor], task: AnyTask) -> None:
    names = [one.name for one in inputs]
    required = {one.name for one in task.v2_inputs if not one.optional}
    if not required <= set(names) <= {one.name for one in task.v2_inputs}:
        raise BadInput(_what_to_send(task))
    if len(set(names)) < len(names):
        raise BadInput(f"An input is given twice. {_what_to_send(task)}")


def _inputs(texts: dict[str, list[str]], task: AnyTask) -> list[Any]:
    """The same inputs as a client of `/invocations` would send them."""
    columns = [texts[one.name] for one in task.v2_inputs if one.name in texts]
    if len({len(column) for column in columns}) > 1:
        raise BadInput(f"Inputs {' and '.join(f'{name!r}' for name in texts)} must have the same shape.")
    pairs = [(first, rest[0] if rest else None) for first, *rest in zip(*columns, strict=True)]
    return [task.inputs(Row(text, text_pair, None)) for text, text_pair in pairs]


def _what_to_send(task: AnyTask) -> str:
    names = [f'{"optionally " if one.optional else ""}"{one.name}"' for one in task.v2_inputs]
    return f"Send the input {' and '.join(names)}: BYTES, of shape [n]{', the same for both' * (len(names) > 1)}."


def _check_tensor(tensor: Tensor, max_inputs: int) -> None:
    if tensor.datatype != "BYTES":
        raise BadInput(f"Input {tensor.name!r} has datatype {tensor.datatype!r}; texts are BYTES.")
    if math.prod(tensor.shape) > max_inputs:
        raise too_many(max_inputs)


def encode_infer(
    asked: V2Request, task: AnyTask, answers: Sequence[Any], outputs: Sequence[Floats], model_name: str
) -> tuple[bytes, str, int | None]:
    """The body of an answer, its content type, and the length of its JSON part where binary tensors follow.

    `answers` has one for each input, `outputs` what the network gave for each window.
    """
    known = {name: _output(datatype, [one[name] for one in answers]) for name, datatype in task.v2_outputs.items()}
    known[LOGITS] = Output("FP32", np.vstack(outputs))
    return write_answer(asked.body, known, model_name)


def _output(datatype: str, values: list[Any]) -> Output:
    return Output(datatype, values if datatype == "BYTES" else np.array(values, DTYPES[datatype]))
