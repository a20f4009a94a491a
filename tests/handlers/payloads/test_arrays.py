"""NumPy's format without pickle."""

import io
from typing import Any

import numpy as np
import pytest
import torch

from handlers.payloads.arrays import as_array, decode_npy, encode_npy
from model_store.errors import BadInput


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(5),
        np.zeros((0, 3)),
        np.array(["a", "bcd"]),
        np.array([True]),
        np.arange(3, dtype=">i4"),
    ],
)
def test_an_array_is_read_as_it_was_written(array: np.ndarray[Any, Any]) -> None:
    found = decode_npy(npy(array))
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.shape, found.flags.writeable) == (array.dtype, array.shape, True)
    np.testing.assert_array_equal(decode_npy(encode_npy(array)), array)


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


def test_nothing_is_unpickled() -> None:
    with pytest.raises(BadInput, match="would have to be unpickled"):
        decode_npy(npy(np.array([Evil()], dtype=object), allow_pickle=True))


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"PK\x03\x04",
        b"\x93NUMPY",
        b"\x93NUMPY\x09\x00" + b" " * 99,
        header("{}"),
        header("__import__('os')"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,)}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"),
        header("{'descr': '|V0', 'fortran_order': False, 'shape': (99999999999999,)}"),
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}") + b"\0" * 8,
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}") + b"\0" * 9,
        header("{'descr': 'no type', 'fortran_order': False, 'shape': (1,)}"),
    ],
)
def test_what_is_no_array_or_states_another_size_is_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput):
        decode_npy(body)


@pytest.mark.parametrize(
    "value",
    [
        torch.tensor([[1.0, 2.0]], requires_grad=True),
        torch.tensor([[1.0, 2.0]], dtype=torch.bfloat16),
        [[1, np.float32(2)]],
        [torch.tensor([1.0, 2.0], requires_grad=True)],
        ((1, 2),),
    ],
)
def test_what_a_model_returns_is_an_array(value: Any) -> None:
    np.testing.assert_array_equal(as_array(value), [[1, 2]])


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], [object()], [[1], [1, 2]]])
def test_what_is_no_array_is_an_error(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_npy(value)
