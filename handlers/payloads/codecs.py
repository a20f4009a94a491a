"""From the bytes of a request to a payload, and from a prediction to the bytes of an answer."""

import csv
import io
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from model_store.errors import BadInput, NotAcceptable, TooLarge, UnsupportedMediaType

JSON, JSON_LINES, CSV = "application/json", "application/jsonlines", "text/csv"
ALIASES = {"application/x-jsonlines": JSON_LINES, "application/jsonl": JSON_LINES, "application/x-ndjson": JSON_LINES}

# Bytes outside the texts of a JSON body, without white space: of the request, and of each input. They are few, as in
# `{"text": "...", "text_pair": "..."},`; the bounds are far above that, for other fields that clients send.
_BYTES_AROUND, _BYTES_AROUND_AN_INPUT = 8 * 1024, 64

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()


def media_type(header: str) -> str:
    """`Application/JSON; charset=utf-8` is `application/json`."""
    name = header.split(";", maxsplit=1)[0].strip().lower()
    return ALIASES.get(name, name)


def decode(body: bytes, content_type: str, max_inputs: int | None = None) -> Any:
    """The payload in a request's body; a body without a content type is JSON.

    With `max_inputs` a body of more inputs, or of far more values than so many have, is refused before it is decoded:
    the interpreter's lock is held while JSON is read, and a million empty lists take half a second.

    Raises:
        UnsupportedMediaType, BadInput: it is none of ours, or not what it says it is.
        TooLarge: it has more inputs than `max_inputs`.
    """
    kind = media_type(content_type) or JSON
    if kind not in _DECODERS:
        raise UnsupportedMediaType(kind, tuple(_DECODERS))
    if max_inputs is not None and kind != CSV:
        check_values(body, max_inputs)
    return _DECODERS[kind](body, sys.maxsize if max_inputs is None else max_inputs)


def too_many(max_inputs: int) -> TooLarge:
    return TooLarge(f"The body has more than {max_inputs} inputs; send fewer in one request, or raise --max-inputs.")


def check_values(body: bytes, max_inputs: int) -> None:
    """Raises TooLarge where JSON has far more values than `max_inputs` inputs have, by what is outside its texts."""
    most = _BYTES_AROUND + max_inputs * _BYTES_AROUND_AN_INPUT
    if len(body) <= most:
        return
    if b"\\" in body:
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    # Each text has two quotes. Without this the list of parts would be what takes long.
    if body.count(b'"') > most or sum(map(_visible, body.split(b'"')[::2])) > most:
        raise too_many(max_inputs)


def _visible(outside: bytes) -> int:
    return len(outside.translate(None, b" \t\r\n"))


def _decode_json(body: bytes, _: int) -> Any:
    with json_errors_as_bad_input("The body is not JSON"):
        return _decoder.decode(body)


@contextmanager
def json_errors_as_bad_input(wrong: str) -> Iterator[None]:
    """What a JSON decoder raises, as BadInput that begins with what is `wrong`."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise BadInput(f"{wrong}: {str(exc).rstrip('.')}.") from exc
    except RecursionError as exc:
        raise BadInput(f"{wrong} that can be read: it is nested too deeply; send a plain request.") from exc


def _decode_json_lines(body: bytes, most: int) -> Any:
    """Each line is one input: a text, an object with "text", or an object with "inputs"."""
    inputs: list[Any] = []
    for number, line in enumerate(io.BytesIO(body), start=1):
        if line.strip():
            if len(inputs) == most:
                raise too_many(most)
            with json_errors_as_bad_input(f"Line {number} of the body is not JSON"):
                one = _decoder.decode(line)
            if isinstance(one, dict) and "parameters" in one:
                raise BadInput(f"Line {number} of the body has parameters; only {JSON} carries them.")
            inputs.append(one["inputs"] if isinstance(one, dict) and "inputs" in one else one)
    return {"inputs": inputs}


_HEADERS = (["inputs"], ["text"], ["text", "text_pair"])


def _decode_csv(body: bytes, most: int) -> Any:
    """One input a row: a text, or a text and its pair. A header `inputs`, `text` or `text,text_pair` is skipped."""
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        # One more than there may be, and a header.
        rows = list(itertools.islice((row for row in reader if row), min(most, sys.maxsize - 2) + 2))
    except (csv.Error, UnicodeDecodeError) as exc:
        raise BadInput(f"The body is not CSV in UTF-8: {exc}.") from exc
    if rows and [name.strip().lower() for name in rows[0]] in _HEADERS:
        rows = rows[1:]
    if len(rows) > most:
        raise too_many(most)
    if widths := {len(row) for row in rows} - {1, 2}:
        raise BadInput(f"A row of the body has {max(widths)} fields; send one text, or two for a pair; quote commas.")
    return {"inputs": [row[0] if len(row) == 1 else row for row in rows]}


_DECODERS: dict[str, Callable[[bytes, int], Any]] = {
    JSON: _decode_json,
    JSON_LINES: _decode_json_lines,
    CSV: _decode_csv,
}


def encode(prediction: Any, kind: str) -> bytes:
    """The body of an answer as one of our content types; raises TypeError."""
    return _ENCODERS[kind](prediction)


def negotiate(accept: str, offered: Sequence[str] = ()) -> str:
    """The content type of those `offered` that an `Accept` header likes best; the first where it does not care.

    Of types that it likes as well, the one that it names first. Without any, what is offered is ours.

    Raises:
        NotAcceptable: it allows none of them.
    """
    offered = offered or tuple(_ENCODERS)
    if not accept or accept == "*/*":
        return offered[0]
    ranges = list(dict(map(_range, accept.split(","))).items())
    best = max(offered, key=lambda kind: _preference(kind, ranges))
    if not _preference(best, ranges)[0]:
        raise NotAcceptable(accept, tuple(offered))
    return best


def _preference(kind: str, ranges: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """The weight of the range which names `kind` most closely, as HTTP has it, and how early it stands; 0 is not
    acceptable."""
    places = {name: place for place, (name, _) in enumerate(ranges)}
    names = (kind, f"{kind.split('/')[0]}/*", "*/*")
    place = next((places[one] for one in names if one in places), None)
    return (0.0, 0) if place is None else (ranges[place][1], -place)


def _range(part: str) -> tuple[str, float]:
    name, _, parameters = part.partition(";")
    weight = 1.0
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
    return media_type(name), weight if weight > 0 else 0.0  # which a weight that is no number is, too


def encode_json(prediction: Any) -> bytes:
    try:
        return _encoder.encode(prediction)
    except (TypeError, ValueError) as exc:
        raise TypeError(f"A prediction must be made of JSON's own types: {exc}.") from exc


def _rows(prediction: Any) -> list[Any]:
    return prediction if isinstance(prediction, list) else [prediction]


def _encode_json_lines(prediction: Any) -> bytes:
    return b"".join(encode_json(row) + b"\n" for row in _rows(prediction))


def _encode_csv(prediction: Any) -> bytes:
    """One row an input: the fields of its answer; where an input has several answers, they follow in the same row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in _rows(prediction):
        writer.writerow([value for answer in _rows(row) for value in answer.values()])
    return text.getvalue().encode()


_ENCODERS: dict[str, Callable[[Any], bytes]] = {JSON: encode_json, JSON_LINES: _encode_json_lines, CSV: _encode_csv}
