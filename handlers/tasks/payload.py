"""What clients send to a text classifier, and how it is read.

A payload is `{"inputs": …, "parameters": {…}}` in the shapes of Hugging Face's text-classification task:
one text, one pair `{"text": …, "text_pair": …}`, or a list of those (a pair may also be a list of two texts).
"""

from dataclasses import dataclass
from typing import Any, Literal

from model_store.errors import BadInput, TooLarge

MAX_INPUTS = 256

FunctionToApply = Literal["softmax", "sigmoid", "none"]

# Accepted because clients of other servers send them; texts are always truncated and never padded here.
_IGNORED_PARAMETERS = {"truncation", "padding"}


@dataclass(frozen=True, slots=True)
class TextInput:
    text: str
    text_pair: str | None = None


@dataclass(frozen=True, slots=True)
class Parameters:
    """`top_k` labels per input: None is all of them; `nested` says that the client asked for a list per input."""

    top_k: int | None = 1
    nested: bool = False
    function_to_apply: FunctionToApply | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A payload, read. `shape` is how the inputs were given, which decides how the answer is shaped."""

    inputs: tuple[TextInput, ...]
    shape: Literal["text", "pair", "list"]
    parameters: Parameters


def read_question(payload: Any) -> Question:
    """Read a decoded payload.

    Raises:
        BadInput: it is not a text-classification payload; the message says what is wrong and where.
    """
    if not isinstance(payload, dict) or "inputs" not in payload:
        raise BadInput('A request is an object {"inputs": …}: a text, {"text": …, "text_pair": …}, or a list of those.')
    inputs, parameters = payload["inputs"], _read_parameters(payload.get("parameters"))
    if isinstance(inputs, list):
        if not inputs:
            raise BadInput('"inputs" is an empty list; send at least one text.')
        if len(inputs) > MAX_INPUTS:
            raise TooLarge(f'"inputs" holds {len(inputs)} texts; send at most {MAX_INPUTS} in one request.')
        return Question(tuple(_read_input(one, f"inputs[{i}]") for i, one in enumerate(inputs)), "list", parameters)
    return Question((_read_input(inputs, "inputs"),), "text" if isinstance(inputs, str) else "pair", parameters)


def _read_input(value: Any, where: str) -> TextInput:
    match value:
        case str():
            return TextInput(_text(value, where))
        case {"text": text, **rest} if rest.keys() <= {"text_pair"}:
            pair = rest.get("text_pair")
            return TextInput(_text(text, f"{where}.text"), None if pair is None else _text(pair, f"{where}.text_pair"))
        case [text, text_pair]:
            return TextInput(_text(text, f"{where}[0]"), _text(text_pair, f"{where}[1]"))
    raise BadInput(
        f'"{where}" is {_kind(value)}; send a text, {{"text": …, "text_pair": …}}, or a list of two texts for a pair.'
    )


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f'"{where}" is {_kind(value)}; it must be a text.')
    if not value.strip():
        raise BadInput(f'"{where}" is empty; send a text with at least one character that is not white space.')
    return value


def _read_parameters(raw: Any) -> Parameters:
    if raw is None:
        return Parameters()
    if not isinstance(raw, dict):
        raise BadInput(f'"parameters" is {_kind(raw)}; it must be an object.')
    known = {"top_k", "function_to_apply"}
    if unknown := raw.keys() - known - _IGNORED_PARAMETERS:
        raise BadInput(f"Parameter {min(unknown)!r} is not known; known are {', '.join(sorted(known))}.")
    top_k = raw.get("top_k", 1)
    if top_k is not None and (not isinstance(top_k, int) or isinstance(top_k, bool) or top_k < 1):
        raise BadInput(f'"parameters.top_k" is {top_k!r}; it must be a whole number from 1, or null for all labels.')
    function = raw.get("function_to_apply")
    if function not in (None, "softmax", "sigmoid", "none"):
        raise BadInput('"parameters.function_to_apply" must be "softmax", "sigmoid" or "none".')
    return Parameters(top_k, "top_k" in raw, function)


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a truth value", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")
