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
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.payloads.codecs import check_values, json_errors_as_bad_input, too_many
from handlers.payloads.request import MAX_INPUTS
from handlers.payloads.v2 import MAX_RANK, InferBody, Tensor, WantedOutput
from handlers.tasks.base import AnyTask, Floats
from handlers.tasks.payload import kind_of
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


def decode_infer(body: bytes, json_length: int | None, task: AnyTask, max_inputs: int = MAX_INPUTS) -> V2Request:
    """Read an infer request; `json_length` is `Inference-Header-Content-Length`, None where there is no binary part.

    Raises:
        BadInput: it is not a request that the task can read.
        TooLarge: it has more inputs than `max_inputs`.
    """
    length = len(body) if json_length is None else json_length
    if length > len(body):
        raise BadInput(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes only.")
    head = body[:length]
    check_values(head, max_inputs)
    with json_errors_as_bad_input("The body is not a V2 inference request"):
        read = _decoder.decode(head)
    _check_timeout(read.parameters.get("timeout", 0))
    _check_outputs(read, task)
    _check_names(read.inputs, task)
    texts, at = {}, length
    for tensor in read.inputs:
        count = _count(tensor, max_inputs)
        size = _binary_size(tensor, len(body) - at)
        if size is None:
            texts[tensor.name] = _texts_from_json(tensor, count)
        else:
            texts[tensor.name], at = _texts_from_bytes(tensor, body[at : at + size], count), at + size
    if at < len(body):
        raise BadInput(f"{len(body) - at} bytes follow the last input; their input lacks its binary_data_size.")
    return V2Request(task.read({"inputs": _inputs(texts, task)}), read)


def _check_timeout(microseconds: object) -> None:
    """Zero is the protocol's way of stating none."""
    if not isinstance(microseconds, int) or isinstance(microseconds, bool) or not 0 <= microseconds < 2**63:
        raise BadInput('The parameter "timeout" must be a whole number of microseconds.')


def _check_outputs(body: InferBody, task: AnyTask) -> None:
    names, known = [one.name for one in body.outputs], [*task.v2_outputs, LOGITS]
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"There is no output {unknown[0]!r}; outputs are {', '.join(known)}.")
    if len(set(names)) < len(names):
        raise BadInput("An output is wanted twice; name each once.")
    wishes = [body.parameters.get("binary_data_output"), *(one.parameters.get("binary_data") for one in body.outputs)]
    if any(wish is not None and not isinstance(wish, bool) for wish in wishes):
        raise BadInput('"binary_data" and "binary_data_output" must be true or false.')


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


def _count(tensor: Tensor, max_inputs: int) -> int:
    """How many texts an input must have by its shape."""
    if tensor.datatype != "BYTES":
        raise BadInput(f"Input {tensor.name!r} has datatype {tensor.datatype!r}; texts are BYTES.")
    count = math.prod(tensor.shape) if tensor.shape else 0
    if count > max_inputs:
        raise too_many(max_inputs)
    return count


def _binary_size(tensor: Tensor, left: int) -> int | None:
    """How many of the `left` bytes of the binary part are this input's; None where it has its data as JSON."""
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return None
    if tensor.data is not None:
        raise BadInput(f'Input {tensor.name!r} has both "data" and "binary_data_size"; send one of them.')
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= left:
        raise BadInput(f'"binary_data_size" of input {tensor.name!r} does not fit the body.')
    return size


def _texts_from_json(tensor: Tensor, count: int) -> list[str]:
    """The protocol allows nested lists as well as flat ones; an [n, 1] tensor is n texts."""
    texts: list[str] = []
    _collect(tensor.data or [], tensor, 1, texts)
    _check_count(tensor, len(texts), count)
    return texts


def _collect(values: list[Any], tensor: Tensor, depth: int, texts: list[str]) -> None:
    for value in values:
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list) and depth < MAX_RANK:
            _collect(value, tensor, depth + 1, texts)
        else:
            wrong = f"lists in more than {MAX_RANK} levels" if isinstance(value, list) else kind_of(value)
            raise BadInput(f"The data of input {tensor.name!r} holds {wrong}; send texts.")


def _texts_from_bytes(tensor: Tensor, raw: bytes, count: int) -> list[str]:
    texts, at = [], 0
    while at < len(raw):
        if at + 4 > len(raw) or at + 4 + (length := struct.unpack_from("<I", raw, at)[0]) > len(raw):
            raise BadInput(f"The binary data of input {tensor.name!r} ends within a text.")
        try:
            texts.append(raw[at + 4 : at + 4 + length].decode())
        except UnicodeDecodeError as exc:
            raise BadInput(f"A text of input {tensor.name!r} is not UTF-8.") from exc
        at += 4 + length
        if len(texts) > count:
            break
    _check_count(tensor, len(texts), count)
    return texts


def _check_count(tensor: Tensor, found: int, count: int) -> None:
    if found != count:
        more = "at least " if found > count else ""
        raise BadInput(f"Input {tensor.name!r} has {more}{found} texts, but its shape {tensor.shape} says {count}.")


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
    all_binary = body.parameters.get("binary_data_output") or False
    described, tail = [], b""
    for wanted in body.outputs or [WantedOutput(name) for name in known]:
        output = known[wanted.name]
        one: dict[str, Any] = {"name": wanted.name, "datatype": output.datatype, "shape": output.shape}
        binary = wanted.parameters.get("binary_data")
        if all_binary if binary is None else binary:
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
