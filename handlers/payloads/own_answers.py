"""A prediction of the user's own code, written where there is no `output_fn`: the default encoders of the toolkits."""

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from handlers.payloads.arrays import NPY, as_array, encode_npy, plain
from handlers.payloads.codecs import CSV, JSON, JSON_LINES
from handlers.payloads.own_inputs import OCTETS, TEXT

_encoder = msgspec.json.Encoder(enc_hook=plain)


def encode_own(prediction: Any, kind: str) -> bytes:
    """The body of an answer as one of `OFFERED`; raises TypeError or ValueError where the prediction cannot be that."""
    return _ENCODERS[kind](prediction)


def encode_json(prediction: Any) -> bytes:
    """JSON, of Python's types, tensors, arrays and NumPy's numbers. What is not a number is null, as JSON has none."""
    try:
        return _encoder.encode(prediction)
    except UnicodeEncodeError as exc:
        raise TypeError(f"A prediction holds half of a surrogate pair: {exc}.") from exc
    except TypeError:
        return _slowly(prediction)


def _slowly(prediction: Any) -> bytes:
    """What the fast encoder does not know: keys that are no texts, and classes derived from Python's own."""
    try:
        return json.dumps(prediction, default=plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as exc:
        raise TypeError(f"A prediction must be made of JSON's own types, arrays or tensors: {exc}.") from exc


def _rows(prediction: Any) -> Any:
    if hasattr(prediction, "tolist"):
        prediction = prediction.tolist()
    return prediction if isinstance(prediction, list | tuple) else [prediction]


def _encode_json_lines(prediction: Any) -> bytes:
    return b"".join(encode_json(row) + b"\n" for row in _rows(prediction))


def _encode_csv(prediction: Any) -> bytes:
    """Of objects a header and a row each; of numbers and texts a row for each of the first dimension."""
    text = io.StringIO(newline="")
    rows = [prediction] if isinstance(prediction, Mapping) else prediction
    if isinstance(rows, list | tuple) and rows and all(isinstance(row, Mapping) for row in rows):
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().encode()
    array = np.atleast_1d(as_array(prediction))
    if array.ndim > 2:
        raise TypeError(f"CSV has rows of values, and the prediction has {array.ndim} dimensions.")
    table = array if array.ndim == 2 else array[:, np.newaxis]
    csv.writer(text, lineterminator="\n").writerows([str(value) for value in row] for row in table)
    return text.getvalue().encode()


def _encode_text(prediction: Any) -> bytes:
    if isinstance(prediction, bytes | bytearray | memoryview):
        return bytes(prediction)
    return prediction.encode() if isinstance(prediction, str) else encode_json(prediction)


def _encode_octets(prediction: Any) -> bytes:
    if not isinstance(prediction, bytes | bytearray | memoryview | str):
        raise TypeError(f"{OCTETS} is for bytes, and the prediction is {type(prediction).__name__}.")
    return _encode_text(prediction)


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    JSON: encode_json,
    JSON_LINES: _encode_json_lines,
    CSV: _encode_csv,
    NPY: encode_npy,
    TEXT: _encode_text,
    OCTETS: _encode_octets,
}

OFFERED = tuple(_ENCODERS)
"""The content types that a prediction may be written as; JSON first."""
