"""The JSON part of a request of the Open Inference Protocol. Without arrays: the front describes it, too."""

from typing import Annotated, Any

import msgspec

# Far above what any client needs, and low enough that no request costs more than its bytes.
MAX_RANK, MAX_SIZE, MAX_NAME = 8, 2**31 - 1, 256

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]
Shape = Annotated[list[Size], msgspec.Meta(max_length=MAX_RANK)]


class Tensor(msgspec.Struct):
    """An input of a request. Other fields of the protocol are allowed and ignored."""

    name: Name
    shape: Shape
    datatype: Name
    data: list[Any] | None = None
    parameters: dict[str, Any] = {}


class WantedOutput(msgspec.Struct):
    """An output that the answer is to hold."""

    name: Name
    parameters: dict[str, Any] = {}


class InferBody(msgspec.Struct):
    """The JSON part of a request."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[WantedOutput] = []
