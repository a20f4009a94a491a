from typing import Any

import pytest

from handlers.tasks.payload import TextInput, check_count, input_of, read_inputs
from model_store.errors import BadInput, TooLarge

PAIR = {"text": "one", "text_pair": "two"}


@pytest.mark.parametrize(
    ("inputs", "read", "shape"),
    [
        ("one", [TextInput("one")], "text"),
        ({"text": "one"}, [TextInput("one")], "pair"),
        (PAIR, [TextInput("one", "two")], "pair"),
        ({"text": "one", "text_pair": None}, [TextInput("one")], "pair"),
        (["one"], [TextInput("one")], "list"),
        (["one", "two"], [TextInput("one"), TextInput("two")], "list"),
        ([["one", "two"]], [TextInput("one", "two")], "list"),
        ([PAIR, "three", ["4", "5"]], [TextInput("one", "two"), TextInput("three"), TextInput("4", "5")], "list"),
    ],
)
def test_every_shape_of_inputs_is_read(inputs: Any, read: list[TextInput], shape: str) -> None:
    assert read_inputs({"inputs": inputs}) == (tuple(read), shape)


@pytest.mark.parametrize("given", [TextInput("one"), TextInput("one", "two")])
def test_what_clients_send_is_read_as_it_was_meant(given: TextInput) -> None:
    assert read_inputs({"inputs": [input_of(given.text, given.text_pair)]}) == ((given,), "list")


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ("one", "A request is an object"),
        (["one"], "A request is an object"),
        (None, "A request is an object"),
        ({"text": "one"}, "A request is an object"),
        ({"inputs": None}, '"inputs" is null; send a text'),
        ({"inputs": 1}, '"inputs" is a number; send a text'),
        ({"inputs": True}, '"inputs" is a truth value'),
        ({"inputs": {"txt": "one"}}, '"inputs" is an object; send a text'),
        ({"inputs": PAIR | {"extra": 1}}, '"inputs" is an object; send a text'),
        ({"inputs": []}, '"inputs" is an empty list'),
        ({"inputs": ["one", 2.5]}, r'"inputs\[1\]" is a number; send a text'),
        ({"inputs": ["one", ["two"]]}, r'"inputs\[1\]" is a list; send a text'),
        ({"inputs": [["one", 2]]}, r'"inputs\[0\]\[1\]" is a number; it must be a text'),
        ({"inputs": [["", "two"]]}, r'"inputs\[0\]\[0\]" is empty'),
        ({"inputs": ""}, '"inputs" is empty; send a text with at least one character'),
        ({"inputs": ["one", " \n\t"]}, r'"inputs\[1\]" is empty'),
        ({"inputs": {"text": None}}, r'"inputs\.text" is null; it must be a text'),
        ({"inputs": {"text": "one", "text_pair": ""}}, r'"inputs\.text_pair" is empty'),
        ({"inputs": [{"text": "one", "text_pair": []}]}, r'"inputs\[0\]\.text_pair" is a list; it must be a text'),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(payload: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_inputs(payload)


def test_too_many_inputs_are_too_large_and_one_fewer_are_not() -> None:
    check_count({"inputs": ["one"] * 7}, 7)
    with pytest.raises(TooLarge, match="more than 7 inputs; send fewer in one request, or raise --max-inputs"):
        check_count({"inputs": ["one"] * 8}, 7)
    for payload in ([1] * 9, {"inputs": "one two three"}, {}, None):
        check_count(payload, 1)
