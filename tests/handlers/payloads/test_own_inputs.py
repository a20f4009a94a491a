"""What a user's own model is given where there is no `input_fn`."""

from typing import Any

import numpy as np
import pytest

from handlers.payloads.own_inputs import decode_own
from model_store.errors import BadInput, UnsupportedMediaType

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"


@pytest.mark.parametrize("body", [b"[1, 2]", b"[[1, 2.5], [3, 4]]", b"[true, false]"])
def test_json_numbers_are_an_array(body: bytes) -> None:
    assert isinstance(decode_own(body, JSON), np.ndarray)


@pytest.mark.parametrize("body", [b"[]", b'["a"]', b"[[1], [1, 2]]", b'[{"a": 1}]', b"[1, null]", b"[%d]" % 2**70])
def test_json_lists_of_all_else_are_lists_that_are_taken_for_arrays(body: bytes) -> None:
    found = decode_own(body, JSON)
    assert isinstance(found, list)
    assert found.tolist() == found  # type: ignore[attr-defined]


def test_a_json_object_is_a_dict_that_is_taken_for_an_array() -> None:
    found = decode_own(b'{"inputs": "a"}', "application/json; charset=utf-8")
    assert isinstance(found, dict)
    assert found["inputs"] == found.item()["inputs"] == found.tolist()["inputs"] == found[()]["inputs"] == "a"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        ("", b"5", 5),
        (JSON, b'"text"', "text"),
        (JSON, b"null", None),
        (LINES, b'"one"\n{"inputs": "two"}\n', {"inputs": ["one", "two"]}),
        ("application/x-ndjson", b'"one"\n', {"inputs": ["one"]}),
        (CSV, b'inputs\n"one, two"\nthree\n', {"inputs": ["one, two", "three"]}),
        (CSV, b"question,context\nwho,me\n", {"inputs": [{"question": "who", "context": "me"}]}),
        ("text/plain; charset=utf-8", "\u00fc".encode(), "\u00fc"),
        ("Application/Octet-Stream", b"\xff", b"\xff"),
    ],
)
def test_each_type_is_read(kind: str, body: bytes, data: Any) -> None:
    assert decode_own(body, kind) == data


def test_csv_without_a_header_is_an_array() -> None:
    assert decode_own(b"1,2\n3,4\n", CSV).tolist() == [[1, 2], [3, 4]]
    assert decode_own(b"good # film\nbad\n", CSV).tolist() == ["good # film", "bad"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (JSON, b"{"),
        (CSV, b""),
        (CSV, b" \n"),
        (CSV, b"a,b\nc\n"),
        (CSV, b"\xff"),
        ("text/plain", b"\xff"),
        (LINES, b"{"),
    ],
)
def test_what_is_not_what_it_says_is_bad_input(kind: str, body: bytes) -> None:
    with pytest.raises(BadInput):
        decode_own(body, kind)


def test_a_type_that_is_none_of_these_is_refused_with_them() -> None:
    with pytest.raises(UnsupportedMediaType, match=r"application/x-npy, text/plain, application/octet-stream"):
        decode_own(b"", "application/xml")
