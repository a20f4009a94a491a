"""What `report.json` holds: each of its objects with its fields, from the dataclasses and their docstrings."""

import ast
import inspect
import re
from collections.abc import Iterator
from types import ModuleType

from loadtest.results import comparison, levels, slo, threshold, visits

# From the whole to its parts; of each module the classes that reach the file.
OBJECTS: tuple[tuple[ModuleType, str], ...] = (
    (comparison, "Report"),
    (comparison, "CandidateReport"),
    (comparison, "Quality"),
    (comparison, "Difference"),
    (comparison, "Run"),
    (levels, "LevelResult"),
    (levels, "Window"),
    (visits, "Slice"),
    (threshold, "Threshold"),
    (slo, "Slo"),
)
_NONE = "\N{EN DASH}"

Row = tuple[str, str, str]


def objects() -> Iterator[tuple[str, str, tuple[Row, ...]]]:
    """Of each object its name, what it is, and a row per field: name, type, meaning."""
    for module, name in OBJECTS:
        tree = ast.parse(inspect.getsource(module))
        (found,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name]
        yield name, _joined(ast.get_docstring(found) or _NONE), tuple(_rows(found))


def _rows(found: ast.ClassDef) -> Iterator[Row]:
    for place, node in enumerate(found.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            following = found.body[place + 1] if place + 1 < len(found.body) else None
            yield f"`{node.target.id}`", f"`{_kind(ast.unparse(node.annotation))}`", _docstring(following)


def _kind(annotation: str) -> str:
    """As JSON has it: a tuple of one kind is a list of it, None is null."""
    kind = re.sub(r"tuple\[(\w+), \.\.\.\]", r"list of \1", annotation)
    return (
        kind.replace("None", "null").replace("str", "string").replace("'", "").replace("dict[string, ", "object of [")
    )


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return _joined(inspect.cleandoc(node.value.value))
    return _NONE


def _joined(text: str) -> str:
    return " ".join(text.split())
