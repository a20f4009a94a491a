"""The `inputs` of a request that asks about texts: one text, one pair, or a list of those."""

from dataclasses import dataclass
from typing import Any, Literal

from handlers.payloads.codecs import too_many
from model_store.errors import BadInput

Shape = Literal["text", "pair", "list"]
"""How inputs were given, which decides how the answer is shaped."""


@dataclass(frozen=True, slots=True)
class TextInput:
    text: str
    text_pair: str | None = None


def input_of(text: str, text_pair: str | None) -> Any:
    """What a client sends for a text or a pair."""
    return text if text_pair is None else {"text": text, "text_pair": text_pair}


def read_inputs(payload: Any) -> tuple[tuple[TextInput, ...], Shape]:
    """The inputs of a decoded payload `{"inputs": …}`, and how they were given.

    Raises:
        BadInput: there are none that can be read; the message says what is wrong and where.
    """
    if not isinstance(payload, dict) or "inputs" not in payload:
        raise BadInput('A request is an object {"inputs": …}: a text, {"text": …, "text_pair": …}, or a list of those.')
    inputs = payload["inputs"]
    if not isinstance(inputs, list):
        return (_read_input(inputs, "inputs"),), "text" if isinstance(inputs, str) else "pair"
    if not inputs:
        raise BadInput('"inputs" is an empty list; send at least one text.')
    return tuple(_read_input(one, f"inputs[{i}]") for i, one in enumerate(inputs)), "list"


def check_count(payload: Any, max_inputs: int) -> None:
    """Raises TooLarge where a decoded payload has too many inputs for one request."""
    inputs = payload.get("inputs") if isinstance(payload, dict) else None
    if isinstance(inputs, list) and len(inputs) > max_inputs:
        raise too_many(max_inputs)


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
        f'"{where}" is {kind_of(value)}; send a text, {{"text": …, "text_pair": …}}, or a list of two texts for a pair.'
    )


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f'"{where}" is {kind_of(value)}; it must be a text.')
    if not value.strip():
        raise BadInput(f'"{where}" is empty; send a text with at least one character that is not white space.')
    return value


def kind_of(value: Any) -> str:
    """What a value of JSON is, in words."""
    names = {type(None): "null", bool: "a truth value", int: "a number", float: "a number", str: "a text"}
    return names.get(type(value), "a list" if isinstance(value, list) else "an object")
