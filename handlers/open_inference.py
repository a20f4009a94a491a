"""The Open Inference Protocol V2 (REST): its requests as payloads, its answers, and the binary tensor extension.

https://github.com/kserve/open-inference-protocol, and Triton's binary tensor data extension: the body is the JSON
part, whose length a header states, followed by the raw tensors in their order, little-endian; an element of BYTES
is a 32-bit length and that many bytes.
"""

import math
import struct
from dataclasses import dataclass
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from handlers.backends.base import Logits
from handlers.payloads.codecs import told_as
from handlers.tasks.payload import Question, read_question
from model_store.errors import BadInput

OCTETS = "application/octet-stream"


class Tensor(msgspec.Struct):
    """An input of a request. Other fields of the protocol are allowed and ignored."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class WantedOutput(msgspec.Struct):
    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct):
    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[WantedOutput] = []


@dataclass(frozen=True, slots=True)
class V2Question:
    question: Question
    request: InferRequest

    @property
    def timeout_s(self) -> float:
        """The client's own deadline, which the protocol gives in microseconds; none where it states none."""
        timeout_us: int = self.request.parameters.get("timeout", 0)
        return timeout_us / 1e6 or math.inf


_decoder = msgspec.json.Decoder(InferRequest)


def decode_infer(body: bytes, json_length: int | None) -> V2Question:
    """Read an infer request; `json_length` is `Inference-Header-Content-Length`, None where there is no binary part.

    Raises:
        BadInput: it is not a request for a text classifier.
    """
    length = len(body) if json_length is None else json_length
    if length > len(body):
        raise BadInput(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes only.")
    with told_as("The body is not a V2 inference request"):
        request = _decoder.decode(body[:length])
    _check_timeout(request.parameters.get("timeout", 0))
    texts, rest = {}, body[length:]
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            texts[tensor.name] = _texts_from_json(tensor)
        elif not isinstance(size, int) or not 0 <= size <= len(rest):
            raise BadInput(f'"binary_data_size" of input {tensor.name!r} does not fit the body.')
        else:
            texts[tensor.name], rest = _texts_from_bytes(tensor, rest[:size]), rest[size:]
    return V2Question(_question(texts), request)


def _check_timeout(microseconds: object) -> None:
    """Zero is the protocol's way of stating none."""
    if not isinstance(microseconds, int) or isinstance(microseconds, bool) or not 0 <= microseconds < 2**63:
        raise BadInput('The parameter "timeout" must be a whole number of microseconds.')


def _question(texts: dict[str, list[str]]) -> Question:
    if "text" not in texts or texts.keys() - {"text", "text_pair"}:
        raise BadInput('Send an input "text" (BYTES, shape [n]) and, for pairs, "text_pair" of the same shape.')
    if "text_pair" not in texts:
        return read_question({"inputs": texts["text"]})
    if len(texts["text"]) != len(texts["text_pair"]):
        raise BadInput('Inputs "text" and "text_pair" must have the same shape.')
    return read_question({"inputs": [list(pair) for pair in zip(texts["text"], texts["text_pair"], strict=True)]})


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


def encode_infer(
    asked: V2Question, predictions: list[dict[str, Any]], logits: Logits, model_name: str
) -> tuple[bytes, str, int | None]:
    """The body of an answer, its content type, and the length of its JSON part where binary tensors follow."""
    request = asked.request
    columns: dict[str, tuple[str, list[int], Any]] = {
        "label": ("BYTES", [len(predictions)], [p["label"] for p in predictions]),
        "score": ("FP32", [len(predictions)], np.array([p["score"] for p in predictions], np.float32)),
        "logits": ("FP32", list(logits.shape), logits),
    }
    all_binary = bool(request.parameters.get("binary_data_output", False))
    wanted = request.outputs or [WantedOutput(name) for name in columns]
    outputs, tail = [], b""
    for output in wanted:
        if output.name not in columns:
            raise BadInput(f"There is no output {output.name!r}; outputs are {', '.join(columns)}.")
        datatype, shape, values = columns[output.name]
        described: dict[str, Any] = {"name": output.name, "datatype": datatype, "shape": shape}
        if output.parameters.get("binary_data", all_binary):
            raw = _to_bytes(datatype, values)
            described["parameters"] = {"binary_data_size": len(raw)}
            tail += raw
        else:
            described["data"] = values.ravel().tolist() if isinstance(values, np.ndarray) else values
        outputs.append(described)
    answer: dict[str, Any] = {"model_name": model_name, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    head = msgspec.json.encode(answer)
    return (head + tail, OCTETS, len(head)) if tail else (head, "application/json", None)


def _to_bytes(datatype: str, values: Any) -> bytes:
    if datatype == "BYTES":
        return b"".join(struct.pack("<I", len(raw)) + raw for raw in (value.encode() for value in values))
    return np.ascontiguousarray(values, "<f4").tobytes()
