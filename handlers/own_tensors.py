"""The tensors that a user's own code declares, by which clients of the Open Inference Protocol ask it.

    V2_INPUTS = [{"name": "input_ids", "datatype": "INT64", "shape": [-1, -1]}]
    V2_OUTPUTS = [{"name": "logits", "datatype": "FP32", "shape": [-1, 2]}]

Metadata says what stands there; -1 is any size. The model, or `predict_fn`, is given a dict of NumPy arrays by these
names, texts as objects. It returns a dict of arrays, or of whatever NumPy makes an array of; where one output is
declared, that alone will do. `input_fn` and `output_fn` have no part in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from handlers.payloads.arrays import as_array
from handlers.payloads.v2 import InferBody, Name, Tensor
from handlers.v2_tensors import (
    DTYPES,
    Output,
    array_of,
    check_outputs,
    read_inference,
    timeout_of,
    write_answer,
)
from model_store.errors import BackendError, BadInput

_DATATYPES = (*DTYPES, "BYTES")


class DeclaredTensor(msgspec.Struct, omit_defaults=True):
    """As the protocol describes a tensor; an input with `{"optional": True}` among its parameters may be left out."""

    name: Name
    datatype: Name
    shape: list[int]
    parameters: dict[str, Any] = {}

    @property
    def optional(self) -> bool:
        return self.parameters.get("optional") is True

    def takes(self, shape: Sequence[int]) -> bool:
        same_rank = len(shape) == len(self.shape)
        return same_rank and all(one in (-1, other) for one, other in zip(self.shape, shape, strict=True))


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """A request for a model of the user's own, and the body that says how it is to be answered."""

    arrays: dict[str, NDArray[Any]]
    body: InferBody
    timeout_s: float


@dataclass(frozen=True, slots=True)
class OwnTensors:
    inputs: tuple[DeclaredTensor, ...] = ()
    outputs: tuple[DeclaredTensor, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.outputs)

    def described(self) -> dict[str, list[dict[str, Any]]]:
        """As metadata has them; empty lists where nothing is declared, and V2 clients can ask nothing."""
        tensors = {"inputs": self.inputs, "outputs": self.outputs}
        return {name: [msgspec.to_builtins(one) for one in declared] for name, declared in tensors.items()}

    def read(self, body: bytes, json_length: int | None) -> OwnRequest:
        """Read an infer request.

        Raises:
            BadInput: its inputs are not those that are declared, or none are.
        """
        if not self:
            raise BadInput(
                "This variant runs its own model_fn or predict_fn; ask it at /invocations. "
                "Code that declares V2_INPUTS and V2_OUTPUTS is asked here, too."
            )
        # How many values a request may have is the model's own business; its bytes are bounded.
        read, raw = read_inference(body, json_length, None)
        check_outputs(read, [one.name for one in self.outputs])
        self._check_names([one.name for one in read.inputs])
        declared = {one.name: one for one in self.inputs}
        pairs = zip(read.inputs, raw, strict=True)
        arrays = {one.name: _read(declared[one.name], one, binary) for one, binary in pairs}
        return OwnRequest(arrays, read, timeout_of(read))

    def _check_names(self, names: Sequence[str]) -> None:
        required = {one.name for one in self.inputs if not one.optional}
        known = {one.name for one in self.inputs}
        if not required <= set(names) <= known or len(set(names)) < len(names):
            what = ", ".join(f"{one.name} ({one.datatype} {one.shape})" for one in self.inputs)
            raise BadInput(f"Send each of the inputs once: {what}.")

    def write(self, asked: OwnRequest, prediction: Any, model_name: str) -> tuple[bytes, str, int | None]:
        """The answer with what the user's model returned; see `write_answer`.

        Raises:
            BackendError: that is not what is declared.
        """
        if not isinstance(prediction, Mapping):
            if len(self.outputs) > 1:
                names = ", ".join(one.name for one in self.outputs)
                raise BackendError(f"The variant's own model returned no dict; V2_OUTPUTS declares {names}.")
            prediction = {self.outputs[0].name: prediction}
        if missing := [one.name for one in self.outputs if one.name not in prediction]:
            raise BackendError(f"The variant's own model returned no {missing[0]!r}, which V2_OUTPUTS declares.")
        known = {one.name: _output(one, prediction[one.name]) for one in self.outputs}
        return write_answer(asked.body, known, model_name)


def declared_tensors(module: ModuleType) -> OwnTensors:
    """What a user's module declares; nothing where it declares neither.

    Raises:
        BackendError: it declares one without the other, or what is no tensor.
    """
    lists = {name: getattr(module, name, None) for name in ("V2_INPUTS", "V2_OUTPUTS")}
    if not any(lists.values()):
        return OwnTensors()
    if not all(lists.values()):
        raise BackendError("The variant's own code declares V2_INPUTS or V2_OUTPUTS alone; declare both.")
    return OwnTensors(*(_declared(name, declared) for name, declared in lists.items()))


def _declared(where: str, declared: Any) -> tuple[DeclaredTensor, ...]:
    try:
        tensors = msgspec.convert(declared, tuple[DeclaredTensor, ...])
    except msgspec.ValidationError as exc:
        raise BackendError(f"{where} of the variant's own code cannot be read: {str(exc).rstrip('.')}.") from exc
    names = [one.name for one in tensors]
    for one in tensors:
        if one.datatype not in _DATATYPES:
            raise BackendError(f"{where} has {one.name!r} of {one.datatype!r}; known are {', '.join(_DATATYPES)}.")
        if any(size < -1 for size in one.shape) or names.count(one.name) > 1:
            raise BackendError(f"{where} has {one.name!r} twice, or in a shape that is none: {one.shape}.")
    return tensors


def _read(declared: DeclaredTensor, sent: Tensor, raw: bytes | None) -> NDArray[Any]:
    if sent.datatype != declared.datatype or not declared.takes(sent.shape):
        raise BadInput(
            f"Input {sent.name!r} is {sent.datatype} of shape {sent.shape}; send {declared.datatype} of shape "
            f"{declared.shape}, where -1 is any size."
        )
    return array_of(sent, raw)


def _output(declared: DeclaredTensor, value: Any) -> Output:
    """What the model returned for an output, as that."""
    try:
        if declared.datatype == "BYTES":
            array = np.asarray(value, object)
        else:
            array = np.asarray(as_array(value), DTYPES[declared.datatype])
    except (TypeError, ValueError, OverflowError) as exc:
        raise BackendError(f"The variant's own output {declared.name!r} is no {declared.datatype}.") from exc
    if not declared.takes(array.shape):
        raise BackendError(
            f"The variant's own output {declared.name!r} has the shape {list(array.shape)}; V2_OUTPUTS declares "
            f"{declared.shape}."
        )
    if declared.datatype == "BYTES" and not all(isinstance(one, str) for one in array.ravel()):
        raise BackendError(f"The variant's own output {declared.name!r} holds what is no text; BYTES are texts.")
    return Output(declared.datatype, array)
