"""What a user's own model is given where there is no `input_fn`: the default decoders of SageMaker's toolkits.

Hugging Face's toolkit hands JSON over as Python's types, the generic one as an array. Numbers are arrays here, as that
has them, and all else is what both can use: a `dict` or a `list` that also has an array's `item` and `tolist`.
"""

import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np

from handlers.payloads.arrays import NPY, decode_npy
from handlers.payloads.codecs import CSV, JSON, JSON_LINES, decode, media_type
from model_store.errors import BadInput, UnsupportedMediaType

TEXT, OCTETS = "text/plain", "application/octet-stream"

# What would begin a comment in CSV: nothing that a text has.
_NEVER = "\0\0"

# A CSV body whose first line has one of these has a header, for Hugging Face's toolkit.
_HEADERS = ("question", "context", "inputs")


class JsonObject(dict[str, Any]):
    """A JSON object that may also be taken for an array of no dimension that holds it."""

    def item(self) -> "JsonObject":
        return self

    def tolist(self) -> "JsonObject":
        return self

    def __getitem__(self, key: Any) -> Any:
        return self if key == () else super().__getitem__(key)


class JsonList(list[Any]):
    """A JSON list of texts or of objects that may also be taken for an array of them."""

    def tolist(self) -> list[Any]:
        return list(self)


def decode_own(body: bytes, content_type: str) -> Any:
    """The data in a body, by its content type; without one it is JSON.

    Raises:
        UnsupportedMediaType, BadInput: it is none of these types, or not what it says it is.
    """
    kind = media_type(content_type) or JSON
    if kind not in _DECODERS:
        raise UnsupportedMediaType(kind, tuple(_DECODERS))
    return _DECODERS[kind](body)


def _decode_json(body: bytes) -> Any:
    value = decode(body, JSON)
    if isinstance(value, dict):
        return JsonObject(value)
    return _numbers_or_list(value) if isinstance(value, list) else value


def _numbers_or_list(values: list[Any]) -> Any:
    try:
        array = np.array(values)
    except (ValueError, OverflowError):  # lists of different lengths, numbers that no type of NumPy's holds
        return JsonList(values)
    return array if values and array.dtype.kind in "biuf" else JsonList(values)


def _decode_csv(body: bytes) -> Any:
    try:
        text = body.decode("utf-8-sig")
        if any(name in text.partition("\n")[0].lower() for name in _HEADERS):
            return _with_header(text)
        if not text.strip():
            raise BadInput("The body has no rows; send at least one.")
        return np.genfromtxt(io.StringIO(text), dtype=None, delimiter=",", comments=_NEVER, encoding=None)
    except (csv.Error, ValueError) as exc:
        raise BadInput(
            f"The body is not CSV in UTF-8 without quotes, or with a header (inputs): {' '.join(str(exc).split())}."
        ) from exc


def _with_header(text: str) -> dict[str, Any]:
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    has_inputs = bool(rows) and "inputs" in rows[0]
    return JsonObject(inputs=[row["inputs"] for row in rows] if has_inputs else rows)


def _decode_text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as exc:
        raise BadInput(f"The body is not text in UTF-8: {exc}.") from exc


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    JSON: _decode_json,
    JSON_LINES: lambda body: JsonObject(decode(body, JSON_LINES)),
    CSV: _decode_csv,
    NPY: decode_npy,
    TEXT: _decode_text,
    OCTETS: lambda body: body,
}
