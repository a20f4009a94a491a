"""NumPy's own format for an array, read and written without pickle, and arrays of what a model may return."""

import io
import math
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.lib import format as npy

from model_store.errors import BadInput

NPY = "application/x-npy"

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def plain(value: Any) -> Any:
    """What a tensor, an array or a number of NumPy's or torch's is in Python's own types; raises TypeError."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is none")


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """An array of a prediction: of a tensor, of numbers, or of lists of these; raises TypeError or ValueError."""
    if hasattr(value, "detach"):  # a tensor, which may be on a GPU, have gradients, or be of a type NumPy has not got
        tensor = value.detach().cpu()
        try:
            return np.asarray(tensor.numpy())
        except TypeError:
            return np.asarray(tensor.float().numpy())
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} is no array")
    return np.asarray(msgspec.to_builtins(value, enc_hook=plain))


def decode_npy(body: bytes) -> np.ndarray[Any, Any]:
    """The array in a body; its header is held against the body's length before anything is allocated.

    Raises:
        BadInput: it is no array, one of Python's objects (which are pickled), or not as long as it says.
    """
    file = io.BytesIO(body)
    try:
        shape, is_fortran, dtype = _READERS[npy.read_magic(file)](file)
    except (ValueError, KeyError, SyntaxError, TypeError) as exc:
        raise BadInput("The body is no array in NumPy's format, version 1 or 2; write it with numpy.save.") from exc
    if dtype.hasobject:
        raise BadInput("The array holds Python's objects, which would have to be unpickled; send numbers or texts.")
    count, start = math.prod(shape), file.tell()
    # Values of no bytes: any number of them would fit.
    if dtype.itemsize == 0 or any(size < 0 for size in shape) or count * dtype.itemsize != len(body) - start:
        raise BadInput(
            f"The array's header states {count} values, and the body has {len(body) - start} bytes for them."
        )
    flat = np.frombuffer(body, dtype, count, start) if count else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if is_fortran else "C").copy(order="K")


def encode_npy(prediction: Any) -> bytes:
    """A prediction as an array; raises TypeError where it is one only of Python's objects."""
    array = as_array(prediction)
    if array.dtype.hasobject:
        raise TypeError("an array of Python's objects would have to be pickled; return numbers or texts")
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()
