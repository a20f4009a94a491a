from typing import Any

import msgspec
import pytest

from handlers.payloads.codecs import CSV, JSON, JSON_LINES, decode, encode, media_type, negotiate
from model_store.errors import BadInput, NotAcceptable, TooLarge, UnsupportedMediaType

ONE = [{"label": "positive", "score": 0.75}]
TWO_EACH = [
    [{"label": "positive", "score": 0.75}, {"label": "negative", "score": 0.25}],
    [{"label": "negative", "score": 1.0}, {"label": "positive", "score": 0.0}],
]
DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/json", JSON),
        (" Application/JSON ; charset=utf-8; x=y", JSON),
        ("application/x-ndjson", JSON_LINES),
        ("application/jsonl;charset=utf-8", JSON_LINES),
        ("TEXT/csv; header=present", CSV),
        ("", ""),
    ],
)
def test_media_types_are_read_without_case_and_parameters(header: str, kind: str) -> None:
    assert media_type(header) == kind


@pytest.mark.parametrize("content_type", ["", "application/json", "application/json; charset=utf-8"])
def test_json_is_what_a_body_without_a_content_type_is(content_type: str) -> None:
    assert decode('{"inputs": "ein schöner Film"}'.encode(), content_type) == {"inputs": "ein schöner Film"}


@pytest.mark.parametrize("content_type", ["application/jsonlines", "application/x-jsonlines", "application/x-ndjson"])
def test_each_line_of_json_lines_is_an_input(content_type: str) -> None:
    body = b'"one"\n\n{"text": "two", "text_pair": "2"}\r\n{"inputs": "three"}\n'
    assert decode(body, content_type) == {"inputs": ["one", {"text": "two", "text_pair": "2"}, "three"]}


@pytest.mark.parametrize(
    ("body", "inputs"),
    [
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\n\r\ntwo", ["one", "two"]),
        ('"one, with a comma","and ""its"" pair"\n', [["one, with a comma", 'and "its" pair']]),
        ('"two\nlines"\n', ["two\nlines"]),
        ("inputs\none\n", ["one"]),
        ("Text\none\n", ["one"]),
        ("text, text_pair\none,two\n", [["one", "two"]]),
        ("\ufefftext\none\n", ["one"]),
    ],
)
def test_each_row_of_csv_is_a_text_or_a_pair_and_a_header_is_skipped(body: str, inputs: list[Any]) -> None:
    assert decode(body.encode(), "text/csv") == {"inputs": inputs}


def test_a_csv_header_in_another_order_is_not_taken_for_ours() -> None:
    assert decode(b"text_pair,text\nsecond,first\n", "text/csv")["inputs"][0] == ["text_pair", "text"]


@pytest.mark.parametrize(
    ("content_type", "body", "words"),
    [
        (JSON, b"", "The body is not JSON: Input data was truncated"),
        (JSON, b'{"inputs": ', "The body is not JSON"),
        (JSON, b"inputs=one", "The body is not JSON: .*byte 0"),
        (JSON, b"\xff\xfe", "The body is not JSON"),
        (JSON, b'{"inputs": "\xff"}', "The body is not JSON: .*utf-8"),
        (JSON, rb'{"inputs": "\ud800"}', "The body is not JSON"),
        (JSON, DEEP, "nested too deeply"),
        (JSON_LINES, b'{"inputs": "one", "parameters": {"top_k": 2}}', "Line 1 of the body has parameters"),
        (JSON_LINES, b'"one"\n{"text": \n', "Line 2 of the body is not JSON"),
        (JSON_LINES, b'"one"\n\n"\xff"', "Line 3 of the body is not JSON"),
        (JSON_LINES, b'"one"\n' + DEEP, "Line 2 of the body .* nested too deeply"),
        (CSV, b"one\n\xff\n", "not CSV in UTF-8"),
        (CSV, b'"never closed\n', "not CSV in UTF-8"),
        (CSV, b'"one"two\n', "not CSV in UTF-8"),
        (CSV, b"one\na,b,c\n", "has 3 fields; send one text, or two for a pair; quote commas"),
    ],
)
def test_a_malformed_body_is_bad_input_that_says_what_is_wrong(content_type: str, body: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        decode(body, content_type)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-npy", "application/octet-stream", "json"])
def test_an_unknown_content_type_is_answered_with_the_known_ones(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType, match=r"application/json, application/jsonlines, text/csv"):
        decode(b"{}", content_type)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("application/x-ndjson", JSON_LINES),
        ("text/html, text/csv", CSV),
        ("text/html, */*;q=0.1", JSON),
        ("application/json;q=0.2, text/csv;q=0.9", CSV),
        ("text/csv;q=0.2, application/json; q = 0.3", JSON),
        ("application/json;q=0, */*", JSON_LINES),
        ("*/*, application/*;q=0", CSV),
        ("text/csv, application/json;q=high", CSV),
        ("text/csv, application/json;q=nan", CSV),
    ],
)
def test_the_content_type_that_the_client_likes_best_is_chosen(accept: str, kind: str) -> None:
    assert negotiate(accept) == kind


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "*/*;q=0", ","])
def test_a_client_that_takes_none_of_ours_is_told_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="accept one of application/json, application/jsonlines, text/csv"):
        negotiate(accept)


def test_predictions_are_written_in_each_content_type() -> None:
    assert encode(ONE, JSON) == b'[{"label":"positive","score":0.75}]'
    assert encode(ONE * 2, JSON_LINES) == b'{"label":"positive","score":0.75}\n' * 2
    assert encode(ONE * 2, CSV) == b"positive,0.75\r\n" * 2


def test_several_labels_of_an_input_share_its_row() -> None:
    assert encode(TWO_EACH, CSV) == b"positive,0.75,negative,0.25\r\nnegative,1.0,positive,0.0\r\n"


def test_a_prediction_that_json_cannot_hold_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="JSON's own types"):
        encode({"score": object()}, JSON)


@pytest.mark.parametrize("kind", [JSON, JSON_LINES, CSV])
def test_as_many_inputs_as_allowed_are_read_and_one_more_is_refused(kind: str) -> None:
    body = {JSON: b'{"inputs": ["a", "b", "c"]}', JSON_LINES: b'"a"\n\n"b"\n"c"', CSV: b"text\na\n\nb\nc\n"}[kind]
    assert decode(body, kind, 3) == {"inputs": ["a", "b", "c"]}
    if kind != JSON:  # of JSON the reader of inputs counts them
        with pytest.raises(TooLarge, match="more than 2 inputs; send fewer in one request, or raise --max-inputs"):
            decode(body, kind, 2)


BOMB = b"[" + b"[]," * 1_000_000 + b"[]]"


@pytest.mark.parametrize("kind", [JSON, JSON_LINES])
@pytest.mark.parametrize(
    "body", [BOMB, b'{"inputs": ["a", ' + BOMB + b"]}", b'["",' + b'"",' * 100_000 + b'""]', rb'["\"\\",' + BOMB + b"]"]
)
def test_json_of_far_more_values_than_inputs_is_refused_before_it_is_decoded(kind: str, body: bytes) -> None:
    with pytest.raises(TooLarge, match="more than 256 inputs"):
        decode(body, kind, 256)


@pytest.mark.parametrize("text", ["[" * 100_000, '","' * 30_000, "\\" * 99_999, '\\"' * 50_000, "[],{}:1 \n" * 9_999])
def test_texts_may_look_like_anything(text: str) -> None:
    payload = {"inputs": [text, {"text": "a", "text_pair": text}]}
    assert decode(msgspec.json.format(msgspec.json.encode(payload), indent=40), JSON, 2) == payload
