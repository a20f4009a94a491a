"""The tensors of the Open Inference Protocol, as JSON and in the binary tensor extension: read and written.

The extension is Triton's: the body is the JSON part, whose length a header states, followed by the raw tensors in their
order, little-endian; an element of BYTES is a 32-bit length and that many bytes.
"""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.payloads.codecs import check_values, json_errors_as_bad_input
from handlers.payloads.v2 import MAX_RANK, VERSION, InferBody, Tensor, WantedOutput
from handlers.tasks.payload import kind_of
from model_store.errors import BadInput

OCTETS = "application/octet-stream"

DTYPES = {
    "BOOL": "|b1",
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
"""NumPy's name of each datatype but BYTES, as its elements lie in a binary tensor."""

# Parameters that change what an answer is, of extensions that are not offered: passing over them would mislead.
_NOT_OFFERED = {"classification": "classification", "shared_memory_region": "shared memory"}

_decoder = msgspec.json.Decoder(InferBody)


def read_inference(
    body: bytes, json_length: int | None, max_inputs: int | None
) -> tuple[InferBody, list[bytes | None]]:
    """The JSON part of an infer request, and for each input its binary data, None where it has its data as JSON.

    `json_length` is `Inference-Header-Content-Length`, None where there is no binary part. With `max_inputs`, JSON of
    far more values than so many texts have is refused.

    Raises:
        BadInput: it is no infer request, or its parts do not fit together.
        TooLarge: it has far too many values.
    """
    length = len(body) if json_length is None else json_length
    if length > len(body):
        raise BadInput(f"Inference-Header-Content-Length is {length}, but the body has {len(body)} bytes only.")
    head = body[:length]
    if max_inputs is not None:
        check_values(head, max_inputs)
    with json_errors_as_bad_input("The body is not a V2 inference request"):
        read = _decoder.decode(head)
    _check_parameters(read)
    return read, list(_binary_parts(read.inputs, body, length))


def _check_parameters(body: InferBody) -> None:
    wanted = body.outputs or []
    wishes = [body.parameter("binary_data_output"), *(one.parameter("binary_data") for one in wanted)]
    if any(wish is not None and not isinstance(wish, bool) for wish in wishes):
        raise BadInput('"binary_data" and "binary_data_output" must be true or false.')
    tensors: list[Tensor | WantedOutput] = [*body.inputs, *wanted]
    for tensor in tensors:
        if found := _NOT_OFFERED.keys() & (tensor.parameters or {}).keys():
            what = _NOT_OFFERED[min(found)]
            raise BadInput(f'{tensor.name!r} has the parameter "{min(found)}"; there is no {what} extension here.')


def timeout_of(body: InferBody) -> float:
    """The client's own deadline in seconds, which the protocol gives in microseconds; infinite where it states none.

    Zero is the protocol's way of stating none.
    """
    microseconds = body.parameter("timeout", 0)
    if not isinstance(microseconds, int) or isinstance(microseconds, bool) or not 0 <= microseconds < 2**63:
        raise BadInput('The parameter "timeout" must be a whole number of microseconds.')
    return microseconds / 1e6 or math.inf


def check_outputs(body: InferBody, known: Sequence[str]) -> None:
    """Raises BadInput unless the outputs that are wanted are all `known`, each wanted once."""
    names = [one.name for one in body.outputs or ()]
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"There is no output {unknown[0]!r}; outputs are {', '.join(known)}.")
    if len(set(names)) < len(names):
        raise BadInput("An output is wanted twice; name each once.")


def _binary_parts(inputs: Sequence[Tensor], body: bytes, at: int) -> Iterator[bytes | None]:
    for tensor in inputs:
        size = _binary_size(tensor, len(body) - at)
        yield None if size is None else body[at : at + size]
        at += size or 0
    if at < len(body):
        raise BadInput(f"{len(body) - at} bytes follow the last input; their input lacks its binary_data_size.")


def _binary_size(tensor: Tensor, left: int) -> int | None:
    """How many of the `left` bytes of the binary part are this input's; None where it has its data as JSON."""
    size = tensor.parameter("binary_data_size")
    if size is None:
        return None
    if tensor.data is not None:
        raise BadInput(f'Input {tensor.name!r} has both "data" and "binary_data_size"; send one of them.')
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= left:
        raise BadInput(f'"binary_data_size" of input {tensor.name!r} does not fit the body.')
    return size


def texts_of(tensor: Tensor, raw: bytes | None) -> list[str]:
    """The texts of a BYTES input, whatever its shape; raises BadInput where these are not as many as the shape says.

    The protocol allows nested lists as well as flat ones; an [n, 1] tensor is n texts.
    """
    count = math.prod(tensor.shape)
    texts: list[str] = []
    if raw is None:
        _collect(tensor.data or [], tensor, 1, texts)
    else:
        texts = _texts_from_bytes(tensor, raw, count)
    if len(texts) != count:
        more = "at least " if len(texts) > count else ""
        raise BadInput(
            f"Input {tensor.name!r} has {more}{len(texts)} texts, but its shape {tensor.shape} says {count}."
        )
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
    """At most one more than `count`."""
    texts: list[str] = []
    at = 0
    while at < len(raw) and len(texts) <= count:
        if at + 4 > len(raw) or at + 4 + (length := struct.unpack_from("<I", raw, at)[0]) > len(raw):
            raise BadInput(f"The binary data of input {tensor.name!r} ends within a text.")
        try:
            texts.append(raw[at + 4 : at + 4 + length].decode())
        except UnicodeDecodeError as exc:
            raise BadInput(f"A text of input {tensor.name!r} is not UTF-8.") from exc
        at += 4 + length
    return texts


def array_of(tensor: Tensor, raw: bytes | None) -> NDArray[Any]:
    """An input as an array of its shape and datatype, texts as objects; raises BadInput where its data is another."""
    try:
        if tensor.datatype == "BYTES":
            return np.array(texts_of(tensor, raw), dtype=object).reshape(tensor.shape)
        dtype = np.dtype(DTYPES[tensor.datatype])
        found = _from_json(tensor, dtype) if raw is None else _from_bytes(raw, dtype)
        shaped = found.reshape(tensor.shape)
    except (ValueError, OverflowError, msgspec.ValidationError) as exc:
        what = f"{tensor.datatype} in the shape {tensor.shape}"
        raise BadInput(f"Input {tensor.name!r} is no tensor of {what}: {str(exc).rstrip('.')}.") from exc
    # What is nested must be so as the shape says.
    if found.ndim > 1 and found.shape != shaped.shape:
        raise BadInput(f"The data of input {tensor.name!r} has the shape {list(found.shape)}, not {tensor.shape}.")
    return shaped


def _from_bytes(raw: bytes, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """A copy, which the user's code may write to. Whatever is not zero is true."""
    return np.frombuffer(raw, np.uint8 if dtype.kind == "b" else dtype).astype(dtype)


_ELEMENTS: dict[str, type] = {"b": bool, "u": int, "i": int, "f": float}


def _from_json(tensor: Tensor, dtype: "np.dtype[Any]") -> NDArray[Any]:
    """Flat data, or data nested once for each dimension. Its elements are looked at before an array is made of them:
    one long text among numbers would make each element as wide."""
    data, kind = tensor.data or [], _ELEMENTS[dtype.kind]
    nested: Any = list[kind]  # type: ignore[valid-type]
    if data and isinstance(data[0], list):
        for _ in tensor.shape[1:]:
            nested = list[nested]
    return np.array(msgspec.convert(data, nested), dtype)


@dataclass(frozen=True, slots=True)
class Output:
    """A tensor of an answer: texts of BYTES, or an array."""

    datatype: str
    values: list[str] | NDArray[Any]

    @property
    def shape(self) -> list[int]:
        return list(self.values.shape) if isinstance(self.values, np.ndarray) else [len(self.values)]

    def as_json(self) -> list[Any]:
        return self.values.ravel().tolist() if isinstance(self.values, np.ndarray) else self.values

    def as_bytes(self) -> bytes:
        if isinstance(self.values, np.ndarray) and self.datatype != "BYTES":
            return self.values.astype(DTYPES[self.datatype]).tobytes()
        return b"".join(struct.pack("<I", len(raw)) + raw for raw in (value.encode() for value in self.as_json()))


def write_answer(body: InferBody, known: Mapping[str, Output], model_name: str) -> tuple[bytes, str, int | None]:
    """The body of an answer, its content type, and the length of its JSON part where binary tensors follow.

    `known` has all outputs; those that the request wants come in its order.
    """
    all_binary = body.parameter("binary_data_output", False)
    described, tail = [], []
    for wanted in body.outputs or [WantedOutput(name=name) for name in known]:
        output = known[wanted.name]
        one: dict[str, Any] = {"name": wanted.name, "datatype": output.datatype, "shape": output.shape}
        binary = wanted.parameter("binary_data")
        if all_binary if binary is None else binary:
            tail.append(output.as_bytes())
            described.append(one | {"parameters": {"binary_data_size": len(tail[-1])}})
        else:
            described.append(one | {"data": output.as_json()})
    answer: dict[str, Any] = {"model_name": model_name, "model_version": VERSION, "outputs": described}
    if body.id is not None:
        answer["id"] = body.id
    head = msgspec.json.encode(answer)
    return (b"".join((head, *tail)), OCTETS, len(head)) if tail else (head, "application/json", None)
