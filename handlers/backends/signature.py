"""What a graph takes and gives, as its engine reads it, held against what its layout says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlers.tokens.packing import Int64Array
from handlers.tokens.padding import Grid
from model_store.errors import BackendError
from model_store.manifest import Layout

# The inputs that a graph of each layout must have, and those that it may have besides.
_INPUTS: dict[Layout, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "packed": (("input_ids", "position_ids", "token_type_ids", "segment_ids", "cls_index"), ()),
    "padded": (("input_ids", "attention_mask"), ("token_type_ids",)),
}
INPUT_NAMES = frozenset(name for required, optional in _INPUTS.values() for name in (*required, *optional))

_DTYPES = ("int64", "int32")


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a graph. In `shape`, None is a dimension that each call may choose."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(str(n or '?') for n in self.shape)})"


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs of a graph with their types, and which of its outputs has the logits.

    `rows` and `width` are what the graph fixes of the shape of its inputs.
    """

    layout: Layout
    dtypes: Mapping[str, str]
    output: int
    rows: int | None = None
    width: int | None = None

    def feeds(self, arrays: Mapping[str, Int64Array]) -> dict[str, NDArray[np.signedinteger]]:
        """Of a batch's arrays those that the graph takes, in the types that it takes."""
        return {name: arrays[name].astype(dtype, copy=False) for name, dtype in self.dtypes.items()}

    def one_token(self) -> dict[str, Int64Array]:
        """The arrays of the smallest call: one token, in as many places as the graph fixes."""
        shape = (self.rows or 1, self.width or 1)
        arrays: dict[str, Int64Array] = {name: np.zeros(shape, np.int64) for name in self.dtypes}
        if "cls_index" in arrays:
            arrays["cls_index"] = np.zeros(1, np.int64)
        for name in {"segment_ids", "attention_mask"} & arrays.keys():
            arrays[name][:] = 1
        return arrays

    def grid(self, width_step: int = 1, *, doubling: bool = False) -> Grid | None:
        """The shapes of padded calls, with what the engine wants where the graph leaves them open."""
        return Grid(self.rows, self.width, width_step, doubling) if self.layout == "padded" else None


def read_signature(file: str, layout: Layout, inputs: Sequence[Port], outputs: Sequence[Port]) -> Signature:
    """The signature of the graph in `file`, which is said to be of this layout.

    Raises:
        BackendError: the graph takes or gives something else; the message names what, and what is accepted.
    """
    required, optional = _INPUTS[layout]
    names = {port.name for port in inputs}
    if not set(required) <= names <= {*required, *optional}:
        accepted = ", ".join((*required, *(f"optionally {name}" for name in optional)))
        raise BackendError(f"{file!r} takes {_listed(inputs)}; a {layout} classifier takes {accepted}: export it so.")
    for port in inputs:
        _check_input(file, port)
    output = next((i for i, port in enumerate(outputs) if port.name == "logits"), 0)
    if len(outputs[output].shape) not in (0, 2):  # 0 where the engine does not know
        raise BackendError(
            f"{file!r} gives {outputs[output]}; a classifier gives logits (texts, labels): export the model with its "
            "classification head."
        )
    dtypes = {port.name: port.dtype for port in inputs}
    return Signature(layout, dtypes, output, *next(port.shape for port in inputs if port.name == "input_ids"))


def check_alike(engine: str, arrays: Mapping[str, Int64Array]) -> None:
    """Refuse a batch whose arrays have different shapes, before an engine computes something or other of it.

    Raises:
        BackendError: they have.
    """
    shapes = {array.shape for name, array in arrays.items() if name != "cls_index"}
    if len(shapes) > 1:
        raise BackendError(f"{engine} failed on a batch: its arrays have different shapes, {sorted(shapes)}.")


def _check_input(file: str, port: Port) -> None:
    if port.dtype not in _DTYPES:
        raise BackendError(f"{file!r} takes {port.name} as {port.dtype}; accepted are {' and '.join(_DTYPES)}.")
    if len(port.shape) != (1 if port.name == "cls_index" else 2):
        raise BackendError(f"{file!r} takes {port}; accepted is the shape (batch, sequence).")


def _listed(ports: Sequence[Port]) -> str:
    return ", ".join(map(str, ports)) or "nothing"
