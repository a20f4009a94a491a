"""Bodies of requests that a client might send by mistake or on purpose: valid ones, and valid ones spoiled."""

import gzip
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

TEXTS = (
    "it is not a good movie !",
    "a",
    "",
    "   ",
    "\u200b\u00ad",
    "e\u0301\u0327" * 40,
    "\u202eenil a\u202c",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "[CLS] [SEP] [MASK] [PAD] ##s",
    "x" * 3000,
    "good " * 400,
    " " * 2000 + "bad",
    "\x00\x01\x7f",
    "\ufeffgood",
    "好" * 300,
    "'\"\\,;\n\r\t",
)
"""What texts are made of. Lone surrogates come as escapes, which JSON can carry and UTF-8 cannot."""

ODD_NUMBERS = (
    0,
    -1,
    1.5,
    255,
    2**31,
    2**53 + 1,
    2**63,
    -(2**63) - 1,
    2**64,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
)
ODD_NAMES = ("inputs", "parameters", "text", "", "__class__", "\x00", "top_k", "id", "shape", "data")
DEEPEST = 3000

V2_TYPES = ("BYTES", "FP32", "INT64", "", "bytes", "STRING")


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a body, and the headers that say what they are."""

    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/invocations"


def any_body(dice: Random) -> Body:
    """A body of any kind, spoiled or not, sometimes compressed."""
    body = dice.choice(_KINDS)(dice)
    if dice.random() < 0.3:
        body = Body(spoil(dice, body.content), body.headers, body.path)
    return _compressed(dice, body) if dice.random() < 0.1 else body


def plain_body(dice: Random) -> Body:
    """One that is in order, with one text or several."""
    texts = [f"{dice.choice(('good', 'bad', 'a movie'))} {dice.randrange(1000)}" for _ in range(dice.randint(1, 4))]
    return _json({"inputs": texts[0] if len(texts) == 1 else texts})


def spoil(dice: Random, content: bytes) -> bytes:
    """A few bytes changed, left out, repeated or put in."""
    spoiled = bytearray(content)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(spoiled) + 1)
        match dice.randrange(5):
            case 0:
                spoiled[at : at + 1] = dice.randbytes(1)
            case 1:
                del spoiled[at : at + dice.randint(1, 20)]
            case 2:
                spoiled[at:at] = spoiled[at : at + dice.randint(1, 50)]
            case 3:
                spoiled[at:at] = dice.choice((b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b'"', b"[", b"{", b"\\u", b"\r\n"))
            case _:
                del spoiled[at:]
    return bytes(spoiled)


def _text(dice: Random) -> str:
    return dice.choice(TEXTS) + dice.choice(("", " ", dice.choice(TEXTS), chr(dice.randrange(0x20, 0xD800))))


def _input(dice: Random) -> Any:
    match dice.randrange(4):
        case 0:
            return {"text": _text(dice), "text_pair": _text(dice)}
        case 1:
            return [_text(dice), _text(dice)]
        case _:
            return _text(dice)


def _odd(dice: Random) -> Any:
    """A value where another is expected."""
    match dice.randrange(6):
        case 0:
            return dice.choice(ODD_NUMBERS)
        case 1:
            return dice.choice((None, True, False, [], {}, [[]], [{}], ""))
        case 2:
            return {dice.choice(ODD_NAMES): _text(dice) for _ in range(dice.randint(1, 4))}
        case 3:
            return [_text(dice)] * dice.choice((1, 257, 2000))
        case 4:
            return _Nested(dice.choice((5, 100, DEEPEST)))
        case _:
            return _text(dice)


@dataclass(frozen=True, slots=True)
class _Nested:
    """Lists in lists; the library that writes JSON cannot go as deep."""

    depth: int


def _spoil_value(dice: Random, value: Any) -> Any:
    """The value with one part of it, wherever, replaced by something odd."""
    if isinstance(value, dict) and value and dice.random() < 0.8:
        key = dice.choice(list(value))
        if dice.random() < 0.15:
            return {name: one for name, one in value.items() if name != key}
        return {**value, key: _spoil_value(dice, value[key])}
    if isinstance(value, list) and value and dice.random() < 0.7:
        at = dice.randrange(len(value))
        return [*value[:at], _spoil_value(dice, value[at]), *value[at + 1 :]]
    return _odd(dice)


def _json(value: Any, path: str = "/invocations", as_ascii: bool = True) -> Body:
    nested: list[_Nested] = []

    def mark(one: object) -> str:
        assert isinstance(one, _Nested), f"{one!r} is no JSON"
        nested.append(one)
        return f"nested-{len(nested) - 1}"

    text = json.dumps(value, default=mark, ensure_ascii=as_ascii)
    for number, one in enumerate(nested):
        text = text.replace(f'"nested-{number}"', "[" * one.depth + "]" * one.depth)
    return Body(text.encode("utf-8", "surrogatepass"), {"content-type": "application/json"}, path)


def _invocation(dice: Random) -> Body:
    inputs = _input(dice) if dice.random() < 0.6 else [_input(dice) for _ in range(dice.randint(1, 5))]
    payload: Any = {"inputs": inputs}
    if dice.random() < 0.4:
        function = dice.choice(("softmax", "sigmoid", "none", "tanh"))
        payload["parameters"] = {"top_k": dice.choice((1, 2, None, 0, -1)), "function_to_apply": function}
    if dice.random() < 0.6:
        payload = _spoil_value(dice, payload)
    body = _json(payload, as_ascii=dice.random() < 0.5)
    if dice.random() < 0.1:
        return Body(body.content.replace(b'a"', b'\\ud800"', 1), body.headers)
    return body


def _json_lines(dice: Random) -> Body:
    lines = [
        json.dumps(dice.choice((_text(dice), {"text": _text(dice)}, {"inputs": _text(dice)}, 5)), default=str)
        for _ in range(dice.randint(0, 6))
    ]
    kind = dice.choice(("application/jsonlines", "application/x-ndjson"))
    return Body("\n".join(lines).encode("utf-8", "surrogatepass"), {"content-type": kind})


def _csv(dice: Random) -> Body:
    quote = dice.choice(('"', "", "'"))
    rows = [
        ",".join(f"{quote}{_text(dice)}{quote}" for _ in range(dice.choice((1, 1, 2, 3))))
        for _ in range(dice.choice((1, 3, 300)))
    ]
    return Body(
        dice.choice(("\n", "\r\n", "\r")).join(rows).encode("utf-8", "surrogatepass"), {"content-type": "text/csv"}
    )


def _v2(dice: Random) -> Body:
    texts = [_text(dice) for _ in range(dice.randint(1, 4))]
    shape: Any = dice.choice(([len(texts)], [len(texts), 1], [1, len(texts)], [-1, -1], [2**31] * 8, [0], [1] * 500))
    tensor = {
        "name": dice.choice(("text", "text", "text_pair", "x")),
        "shape": shape,
        "datatype": dice.choice(V2_TYPES),
        "data": texts,
    }
    payload: Any = {"inputs": [tensor] * dice.choice((1, 1, 2)), "id": dice.choice(("1", "", _text(dice)))}
    if dice.random() < 0.3:
        outputs = [{"name": dice.choice(("label", "score", "logits", "none"))} for _ in range(dice.randint(0, 3))]
        payload["outputs"] = [
            one | {"parameters": {"binary_data": dice.choice((True, False, "no", 1))}} for one in outputs
        ]
    return _json(_spoil_value(dice, payload) if dice.random() < 0.5 else payload, "/v2/models/{name}/infer")


def _v2_binary(dice: Random) -> Body:
    texts = [_text(dice).encode("utf-8", "surrogatepass") for _ in range(dice.randint(1, 4))]
    raw = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    if dice.random() < 0.3:
        raw = spoil(dice, raw)
    size = dice.choice((len(raw), len(raw), len(raw) - 1, len(raw) + 1, -1, 2**40, "3", True))
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": dice.random() < 0.5}}).encode()
    length = dice.choice((len(head), len(head), len(head) + 1, 0, 10**17))
    headers = {"inference-header-content-length": str(length), "content-type": "application/octet-stream"}
    return Body(head + raw, headers, "/v2/models/{name}/infer")


def _noise(dice: Random) -> Body:
    kind = dice.choice(("application/json", "text/csv", "application/x-npy", "image/png", "", "text/plain; q=\xff"))
    return Body(dice.randbytes(dice.choice((0, 1, 40, 5000))), {"content-type": kind})


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def _compressed(dice: Random, body: Body) -> Body:
    packed: dict[str, Callable[[bytes], bytes]] = {
        "gzip": _gzip,
        "deflate": zlib.compress,
        "br": bytes,
        "gzip, gzip": _gzip,
        "GZIP": _gzip,
    }
    coding = dice.choice(list(packed))
    # A tenth of them unpack to far more than they are.
    is_bomb = dice.random() < 0.1 and packed[coding] is not bytes
    content = packed[coding](bytes(20_000_000) if is_bomb else body.content)
    if dice.random() < 0.2:
        content = spoil(dice, content)
    return Body(content, body.headers | {"content-encoding": coding}, body.path)


_KINDS: tuple[Callable[[Random], Body], ...] = (
    _invocation,
    _invocation,
    _json_lines,
    _csv,
    _v2,
    _v2,
    _v2_binary,
    _noise,
)
