"""The JSON part of a request of the Open Inference Protocol. Without arrays: the front describes it, too."""

from typing import Annotated, Any

import msgspec

# Each variant is a model of one version.
VERSION = "1"

# Far above what any client needs, and low enough that no request costs more than its bytes.
MAX_RANK, MAX_SIZE, MAX_NAME = 8, 2**31 - 1, 256

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME)]
Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIZE)]
Shape = Annotated[list[Size], msgspec.Meta(max_length=MAX_RANK)]


class _WithParameters(msgspec.Struct, kw_only=True):
    """Clients that write every field of theirs write null for those that they have not set."""

    parameters: dict[str, Any] | None = None

    def parameter(self, name: str, otherwise: Any = None) -> Any:
        return (self.parameters or {}).get(name, otherwise)


class Tensor(_WithParameters, kw_only=True):
    """An input of a request. Other fields of the protocol are allowed and ignored."""

    name: Name
    shape: Shape
    datatype: Name
    data: list[Any] | None = None


class WantedOutput(_WithParameters, kw_only=True):
    """An output that the answer is to hold."""

    name: Name


class InferBody(_WithParameters, kw_only=True):
    """The JSON part of a request."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[WantedOutput] | None = None
