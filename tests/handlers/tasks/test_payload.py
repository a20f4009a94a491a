from typing import Any

import pytest

from handlers.tasks.payload import MAX_INPUTS, Parameters, TextInput, read_question
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
    question = read_question({"inputs": inputs})
    assert (list(question.inputs), question.shape) == (read, shape)


@pytest.mark.parametrize(
    ("raw", "parameters"),
    [
        (None, Parameters(1, False, None)),
        ({}, Parameters(1, False, None)),
        ({"top_k": 1}, Parameters(1, True, None)),
        ({"top_k": None}, Parameters(None, True, None)),
        ({"top_k": 3, "function_to_apply": "sigmoid"}, Parameters(3, True, "sigmoid")),
        ({"function_to_apply": "none"}, Parameters(1, False, "none")),
        ({"function_to_apply": None}, Parameters(1, False, None)),
        ({"truncation": True, "padding": "longest"}, Parameters(1, False, None)),
    ],
)
def test_parameters_are_read_and_those_without_effect_are_ignored(raw: Any, parameters: Parameters) -> None:
    assert read_question({"inputs": "one", "parameters": raw}).parameters == parameters


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
        ({"inputs": "one", "parameters": []}, '"parameters" is a list; it must be an object'),
        ({"inputs": "one", "parameters": {"topk": 1}}, "'topk' is not known; known are function_to_apply, top_k"),
        ({"inputs": "one", "parameters": {"top_k": 0}}, r'"parameters\.top_k" is 0; it must be a whole number from 1'),
        ({"inputs": "one", "parameters": {"top_k": True}}, r'"parameters\.top_k" is True'),
        ({"inputs": "one", "parameters": {"top_k": 1.0}}, r'"parameters\.top_k" is 1\.0'),
        ({"inputs": "one", "parameters": {"top_k": "2"}}, r'"parameters\.top_k" is \'2\''),
        ({"inputs": "one", "parameters": {"function_to_apply": "relu"}}, '"softmax", "sigmoid" or "none"'),
        ({"inputs": "one", "parameters": {"function_to_apply": []}}, '"softmax", "sigmoid" or "none"'),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(payload: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_question(payload)


def test_too_many_inputs_are_too_large_and_one_fewer_are_not() -> None:
    assert len(read_question({"inputs": ["one"] * MAX_INPUTS}).inputs) == MAX_INPUTS
    with pytest.raises(TooLarge, match=f"holds {MAX_INPUTS + 1} texts; send at most {MAX_INPUTS}"):
        read_question({"inputs": ["one"] * (MAX_INPUTS + 1)})
