"""Bodies of every kind, damaged at random: whatever comes is read or refused by an error of the tree."""

import gzip
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from handlers.handler import Handler
from handlers.payloads.request import RawRequest
from handlers.pipeline import Pipeline
from handlers.tasks.text_classification import TextClassification
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError, ParetoServeError
from tests.handlers.sessions import FixedSession
from tests.handlers.test_handler import ANY_MANIFEST

ROUNDS = 400

TENSOR = {"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [["good"], ["a film"]]}
PAIR = {"name": "text_pair", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 12}}
WANTED = [{"name": "label", "parameters": {"binary_data": True}}, {"name": "logits"}]
HEAD = msgspec.json.encode(
    {"id": "1", "inputs": [TENSOR, PAIR], "outputs": WANTED, "parameters": {"binary_data_output": False, "timeout": 5}}
)
JSON = (
    b'{"inputs": ["one", ["two", "2"], {"text": "three", "text_pair": null}], "parameters": {"top_k": 1, "padding": 2}}'
)

SEEDS = {
    "json": RawRequest(JSON, "application/json", "application/json;q=0.5, text/*"),
    "json lines": RawRequest(
        b'"one"\n{"text": "two"}\n\n{"inputs": ["3", "4"]}\n', "application/jsonlines", "text/csv"
    ),
    "csv": RawRequest(b'text,text_pair\none,1\n"two, \n""",2\n', "text/csv; charset=utf-8", "*/*"),
    "v2": RawRequest(msgspec.json.encode({"inputs": [TENSOR], "outputs": WANTED}), protocol="v2"),
    "v2 binary": RawRequest(HEAD + struct.pack("<I2sI2s", 2, b"a!", 2, b"b!"), protocol="v2", json_length=len(HEAD)),
    "gzip": RawRequest(gzip.compress(JSON), content_encoding="gzip"),
}

# What breaks readers: structure, limits of numbers, escapes, and bytes that are no text.
BITS = (
    *(
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"\\",
        b",",
        b":",
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"-1",
    ),
    *(
        b"null",
        b"true",
        b"1e999",
        b"NaN",
        b"9" * 400,
        b"4294967296",
        b'"data"',
        b'"shape"',
        b"[" * 600,
        b"\x1f\x8b\x08",
    ),
    *(b"18446744073709551616", b'{"text": "x"}', "\u0301\u202e\U0001f3ac".encode(), b"\xff\xff\xff\xff", b" " * 5000),
)


def damaged(body: bytes, chance: random.Random) -> bytes:
    """The body with one to four pieces replaced, dropped, doubled or put in."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randint(0, len(body))
        end = min(len(body), start + chance.choice((0, 0, 1, 2, 8, 60)))
        piece = chance.choice((b"", chance.choice(BITS), chance.choice(BITS), body[start:end] * chance.randint(2, 40)))
        body = body[:start] + piece + body[end:]
    return body


def requests(seed: RawRequest, chance: random.Random) -> Iterator[RawRequest]:
    for _ in range(ROUNDS):
        body = seed.body
        if seed.content_encoding and chance.random() < 0.8:
            body = gzip.compress(damaged(gzip.decompress(body), chance), 1)
        else:
            body = damaged(body, chance)
        length = seed.json_length
        if length is not None and chance.random() < 0.3:
            length = chance.choice((0, length - 1, length + 1, len(body), len(body) + 1, 10**17))
        yield RawRequest(body, seed.content_type, seed.accept, seed.protocol, length, seed.content_encoding)


@pytest.mark.parametrize("kind", SEEDS)
def test_a_damaged_body_is_read_or_refused(dense: Path, kind: str) -> None:
    tokenizer = TextTokenizer(dense / "tokenizer.json", 16)
    handler = Handler(ANY_MANIFEST, Pipeline(FixedSession([]), tokenizer, TextClassification(("a", "b"))))
    assert handler.prepare(SEEDS[kind]).windows, "the seed itself must be right"
    outcomes = set()
    for request in requests(SEEDS[kind], random.Random(kind)):
        try:
            handler.prepare(request)
        except BackendError:
            raise
        except ParetoServeError as exc:
            outcomes.add(type(exc).__name__)
        else:
            outcomes.add("read")
    assert {"read", "BadInput"} <= outcomes
