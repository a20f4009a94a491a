"""The Open Inference Protocol V2 (REST) around any task, with the binary tensor extension.

https://github.com/kserve/open-inference-protocol, and Triton's binary tensor data extension: the body is the JSON
part, whose length a header states, followed by the raw tensors in their order, little-endian; an element of BYTES
is a 32-bit length and that many bytes.

The task names the texts that a request holds and the fields of an answer; each is a tensor with an element per input.
What the network gave comes as one more output, `logits`.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.payloads.codecs import json_errors_as_bad_input
from handlers.payloads.v2 import InferBody, Tensor, WantedOutput
from handlers.tasks.base import AnyTask, Floats
from model_store.errors import BadInput
from model_store.rows import Row

OCTETS = "application/octet-stream"
LOGITS = "logits"

_DTYPES = {"FP32": "<f4", "INT64": "<i8"}


@dataclass(frozen=True, slots=True)
class V2Request:
    """A request as the task has read it, and the body that says how it is to be answered."""

    asked: Any
    body: InferBody

    @property
    def timeout_s(self) -> float:
        """The client's own deadline, which the protocol gives in microseconds; none where it states none."""
        timeout_us: int = self.body.parameters.get("timeout", 0)
        return timeout_us / 1e6 or math.inf


_decoder = msgspec.json.Decoder(InferBody)


def tensors_of(task: AnyTask) -> dict[str, list[dict[str, Any]]]:
    """The inputs and outputs of a task's models, as the protocol describes them to clients that ask."""
    outputs = [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in task.v2_outputs.items()]
    return {
        "inputs": [{"name": one.name, "datatype": "BYTES", "shape": [-1]} for one in task.v2_inputs],
        "outputs": [*outputs, {"name": LOGITS, "datatype": "FP32", "shape": [-1, task.width]}],
    }


def decode_infer(body: bytes, json_length: int | None, task: AnyTask) -> V2Request:
    """Read an infer request; `json_length` is `Inference-Header-Content-Length`, None where there is no binary part.

    Raises:
        BadInput: it is not a request that the task can read.
    """
    length = len(body) if json_length is None else json_length
    if length > len(body):
        raise BadInput(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes only.")
    with json_errors_as_bad_input("The body is not a V2 inference request"):
        read = _decoder.decode(body[:length])
    _check_timeout(read.parameters.get("timeout", 0))
    texts, rest = {}, body[length:]
    for tensor in read.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            texts[tensor.name] = _texts_from_json(tensor)
        elif not isinstance(size, int) or not 0 <= size <= len(rest):
            raise BadInput(f'"binary_data_size" of input {tensor.name!r} does not fit the body.')
        else:
            texts[tensor.name], rest = _texts_from_bytes(tensor, rest[:size]), rest[size:]
    return V2Request(task.read({"inputs": _inputs(texts, task)}), read)


def _check_timeout(microseconds: object) -> None:
    """Zero is the protocol's way of stating none."""
    if not isinstance(microseconds, int) or isinstance(microseconds, bool) or not 0 <= microseconds < 2**63:
        raise BadInput('The parameter "timeout" must be a whole number of microseconds.')


def _inputs(texts: dict[str, list[str]], task: AnyTask) -> list[Any]:
    """The same inputs as a client of `/invocations` would send them."""
    required = {one.name for one in task.v2_inputs if not one.optional}
    if not required <= texts.keys() <= {one.name for one in task.v2_inputs}:
        raise BadInput(_what_to_send(task))
    columns = [texts[one.name] for one in task.v2_inputs if one.name in texts]
    if len({len(column) for column in columns}) > 1:
        raise BadInput(f"Inputs {' and '.join(f'{name!r}' for name in texts)} must have the same shape.")
    pairs = [(first, rest[0] if rest else None) for first, *rest in zip(*columns, strict=True)]
    return [task.inputs(Row(text, text_pair, None)) for text, text_pair in pairs]


def _what_to_send(task: AnyTask) -> str:
    names = [f'{"optionally " if one.optional else ""}"{one.name}"' for one in task.v2_inputs]
    return f"Send the input {' and '.join(names)}: BYTES, of shape [n]{', the same for both' * (len(names) > 1)}."


def _check(tensor: Tensor, count: int) -> None:
    if tensor.datatype != "BYTES":
        raise BadInput(f"Input {tensor.name!r} has datatype {tensor.datatype!r}; texts are BYTES.")
    expected = math.prod(tensor.shape) if tensor.shape else 0
    if count != expected:
        raise BadInput(f"Input {tensor.name!r} has {count} texts, but its shape {tensor.shape} says {expected}.")


def _texts_from_json(tensor: Tensor) -> list[str]:
    data = tensor.data or []
    # The protocol allows nested lists as well as flat ones; an [n, 1] tensor is n texts.
    while any(isinstance(one, list) for one in data):
        data = list(chain.from_iterable(one if isinstance(one, list) else [one] for one in data))
    _check(tensor, len(data))
    return data


def _texts_from_bytes(tensor: Tensor, raw: bytes) -> list[str]:
    texts, at = [], 0
    while at < len(raw):
        if at + 4 > len(raw) or at + 4 + (length := struct.unpack_from("<I", raw, at)[0]) > len(raw):
            raise BadInput(f"The binary data of input {tensor.name!r} ends within a text.")
        try:
            texts.append(raw[at + 4 : at + 4 + length].decode())
        except UnicodeDecodeError as exc:
            raise BadInput(f"A text of input {tensor.name!r} is not UTF-8.") from exc
        at += 4 + length
    _check(tensor, len(texts))
    return texts


@dataclass(frozen=True, slots=True)
class _Output:
    datatype: str
    values: list[str] | NDArray[Any]

    @property
    def shape(self) -> list[int]:
        return list(self.values.shape) if isinstance(self.values, np.ndarray) else [len(self.values)]

    def as_json(self) -> list[Any]:
        return self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else self.values

    def as_bytes(self) -> bytes:
        if isinstance(self.values, np.ndarray):
            return self.values.astype(_DTYPES[self.datatype]).tobytes()
        return b"".join(struct.pack("<I", len(raw)) + raw for raw in (value.encode() for value in self.values))


def encode_infer(
    asked: V2Request, task: AnyTask, answers: Sequence[Any], outputs: Sequence[Floats], model_name: str
) -> tuple[bytes, str, int | None]:
    """The body of an answer, its content type, and the length of its JSON part where binary tensors follow.

    `answers` has one for each input, `outputs` what the network gave for each window.
    """
    known = {name: _output(datatype, [one[name] for one in answers]) for name, datatype in task.v2_outputs.items()}
    known[LOGITS] = _Output("FP32", np.vstack(outputs))
    body = asked.body
    all_binary = bool(body.parameters.get("binary_data_output", False))
    described, tail = [], b""
    for wanted in body.outputs or [WantedOutput(name) for name in known]:
        if wanted.name not in known:
            raise BadInput(f"There is no output {wanted.name!r}; outputs are {', '.join(known)}.")
        output = known[wanted.name]
        one: dict[str, Any] = {"name": wanted.name, "datatype": output.datatype, "shape": output.shape}
        if wanted.parameters.get("binary_data", all_binary):
            raw = output.as_bytes()
            described.append(one | {"parameters": {"binary_data_size": len(raw)}})
            tail += raw
        else:
            described.append(one | {"data": output.as_json()})
    answer: dict[str, Any] = {"model_name": model_name, "outputs": described}
    if body.id is not None:
        answer["id"] = body.id
    head = msgspec.json.encode(answer)
    return (head + tail, OCTETS, len(head)) if tail else (head, "application/json", None)


def _output(datatype: str, values: list[Any]) -> _Output:
    return _Output(datatype, values if datatype == "BYTES" else np.array(values, _DTYPES[datatype]))
