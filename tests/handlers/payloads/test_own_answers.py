"""A prediction of the user's own code, written where there is no `output_fn`."""

import collections
import enum
import json
from typing import Any

import numpy as np
import pytest
import torch

from handlers.payloads.own_answers import OFFERED, encode_own

JSON, LINES, CSV, TEXT, OCTETS = (
    *("application/json", "application/jsonlines", "text/csv"),
    *("text/plain", "application/octet-stream"),
)
Point = collections.namedtuple("Point", "x y")


class Level(enum.IntEnum):
    HIGH = 1


class Score(float):
    """As some libraries derive their numbers."""


@pytest.mark.parametrize(
    ("prediction", "value"),
    [
        (torch.ones(1, 2, requires_grad=True), [[1, 1]]),
        (torch.tensor(0.5, dtype=torch.bfloat16), 0.5),
        ({"logits": torch.ones(1), "deep": [{"a": np.array([[1]])}]}, {"logits": [1], "deep": [{"a": [[1]]}]}),
        (np.float32(0.5), 0.5),
        ([np.int64(1), np.bool_(True), np.str_("a")], [1, True, "a"]),
        (Point(1, torch.tensor(2)), [1, 2]),
        (collections.OrderedDict(a=torch.ones(1)), {"a": [1]}),
        ([Level.HIGH, Score(0.5)], [1, 0.5]),
        ({None: 1, True: 2, 3: 4}, {"null": 1, "true": 2, "3": 4}),
        ([float("nan"), np.array([np.inf])], [None, [None]]),
        (("body", "text/plain"), ["body", "text/plain"]),
    ],
)
def test_tensors_arrays_and_numbers_may_be_anywhere(prediction: Any, value: Any) -> None:
    assert json.loads(encode_own(prediction, JSON)) == value


@pytest.mark.parametrize("prediction", [object(), [lambda: 1], {(1, 2): 3}, {"a": "\ud800"}, np.array([object()])])
def test_what_is_no_json_is_an_error(prediction: Any) -> None:
    with pytest.raises(TypeError):
        encode_own(prediction, JSON)


@pytest.mark.parametrize(
    ("prediction", "kind", "body"),
    [
        (torch.tensor([[1], [2]]), LINES, b"[1]\n[2]\n"),
        ({"a": 1}, LINES, b'{"a":1}\n'),
        (np.array([[1, 2], [3, 4]]), CSV, b"1,2\n3,4\n"),
        (torch.tensor([0.1, 1]), CSV, b"0.1\n1.0\n"),
        (7, CSV, b"7\n"),
        (["a, b", "c"], CSV, b'"a, b"\nc\n'),
        ([], CSV, b""),
        ({"label": "a", "score": 1}, CSV, b"label,score\r\na,1\r\n"),
        ("text", TEXT, b"text"),
        (["text"], TEXT, b'["text"]'),
        (b"\xff", TEXT, b"\xff"),
        (b"\xff", OCTETS, b"\xff"),
        (bytearray(b"x"), OCTETS, b"x"),
        ("text", OCTETS, b"text"),
    ],
)
def test_each_type_is_written(prediction: Any, kind: str, body: bytes) -> None:
    assert encode_own(prediction, kind) == body


@pytest.mark.parametrize(("prediction", "kind"), [(np.zeros((1, 1, 1)), CSV), ([1], OCTETS), ([[1], [1, 2]], CSV)])
def test_what_cannot_be_written_so_is_an_error(prediction: Any, kind: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode_own(prediction, kind)


def test_json_is_what_a_client_gets_that_does_not_care() -> None:
    assert OFFERED[0] == JSON
