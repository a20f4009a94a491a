"""What `report.json` holds: each of its objects with its fields, from the dataclasses and their docstrings."""

import ast
import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator
from typing import Any, NamedTuple

from loadtest.results.comparison import Report

# What the names of fields say of their unit, by how they end.
UNITS = {"_per_s": "1/s", "_s_per_1000": "s", "_s": "s", "_ms": "ms", "_bytes": "bytes"}
NONE = "\N{EN DASH}"
_WORDS: dict[object, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    types.NoneType: "null",
}


class Field(NamedTuple):
    name: str
    kind: str
    unit: str
    meaning: str


def objects(whole: type = Report) -> tuple[type, ...]:
    """The whole and every class that its fields lead to, in the order in which they are first met."""
    below = (one for part in _parts(whole) for one in objects(part))
    return tuple(dict.fromkeys((whole, *below)))


def _parts(one: type) -> Iterator[type]:
    """The classes in the types of its fields."""
    waiting = list(typing.get_type_hints(one).values())
    while waiting:
        kind = waiting.pop(0)
        waiting[:0] = typing.get_args(kind)
        if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
            yield kind


def described(one: type) -> str:
    """What an object is, and how the file has it where that is not an object."""
    said = _joined(one.__doc__ or NONE)
    return f"{said} Written as a list of its fields, in this order." if issubclass(one, tuple) else said


def fields_of(one: type) -> Iterator[Field]:
    """Its fields in their order; the meaning of one without a docstring is `NONE`."""
    (found,) = ast.parse(inspect.getsource(one)).body
    assert isinstance(found, ast.ClassDef), "this is a bug: it is the source of a class"
    kinds = typing.get_type_hints(one)
    for node, following in zip(found.body, [*found.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            yield Field(name, kind_of(kinds[name]), _unit(name), _docstring(following))


def kind_of(kind: Any) -> str:
    """A type as JSON has it, with links to the objects."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return " or ".join(map(kind_of, inside))
    if origin is dict:
        return f"object of {_several(kind_of(inside[1]))}"
    if origin is tuple and inside[-1] is ...:
        return f"list of {_several(kind_of(inside[0]))}"
    if origin is tuple:
        return f"[{', '.join(map(kind_of, inside))}]"
    return _WORDS[kind] if kind in _WORDS else f"[{kind.__name__}](#{kind.__name__.lower()})"


def _several(kind: str) -> str:
    return re.sub(r"^(\w+)", r"\1s", kind)


def _unit(name: str) -> str:
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), NONE)


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return _joined(inspect.cleandoc(node.value.value))
    return NONE


def _joined(text: str) -> str:
    """In a line, in the words of JSON."""
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))
