"""Recipes as people write them, `layers:3+sparse:70+int8`: steps and at last a precision, joined by +.

A step has its parameters behind a colon each. A recipe without a precision ends in fp32, which
is what `dense` stands for. An alias stands for a whole recipe (`recipes/aliases.py`). Only the text is read here, no
checkpoint.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from difflib import get_close_matches
from typing import Any

from model_store.errors import RecipeError
from recipes.aliases import ALIASES, expanded
from recipes.export.precisions import PRECISIONS, Precision
from recipes.steps.base import Step

Steps = Mapping[str, type[Step]]

AUTO = "auto"
"""What a command line takes instead of a recipe: chains are tried, and what holds the accuracy is kept."""

# A + before a digit belongs to a parameter, as in `error<=dense+1.0`: no step is called so.
_JOINT = re.compile(r"\+(?!\s*[\d.])")

PLAIN = "dense"
"""The precision that a recipe has where it names none."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A chain of steps and the precision of what it writes; `alias` is what it was called in short, if it was."""

    steps: tuple[Step, ...]
    precision: Precision
    alias: str | None = None

    @property
    def text(self) -> str:
        """As one would write it: the same recipe has the same text."""
        return self.alias or self.chain

    @property
    def chain(self) -> str:
        """The steps and the precision, also where an alias stands for them."""
        return "+".join(self._parts())

    @property
    def name(self) -> str:
        """What a variant made by it is called; a name for a folder."""
        parts = [self.alias] if self.alias else self._parts()
        return "-".join(re.sub(r"[^a-z0-9.]+", "-", part).strip("-") for part in parts)

    def _parts(self) -> list[str]:
        (precision,) = (word for word, one in PRECISIONS.items() if one == self.precision)
        parts = [spelled(step) for step in self.steps]
        return parts if parts and precision == PLAIN else [*parts, precision]


def spelled(step: Step) -> str:
    """A step as a recipe spells it: `layers:3`. Values at the end that are those by default are left out."""
    pairs = [(getattr(step, parameter.name), parameter.default) for parameter in fields(step)]
    while pairs and pairs[-1][0] == pairs[-1][1]:
        pairs.pop()
    values = ":".join(value if isinstance(value, str) else str(value).removesuffix(".0") for value, _ in pairs)
    return f"{step.name}:{values}" if values else step.name


def parse_recipe(text: str, steps: Steps) -> Recipe:
    """The recipe that `text` spells, of these steps.

    Raises:
        RecipeError: it cannot be read; the message says what is accepted.
    """
    alias, whole = expanded(text)
    if alias:
        return replace(parse_recipe(whole, steps), alias=alias)
    words = [part.strip() for part in _JOINT.split(text)]
    if "" in words:
        raise RecipeError(f"Recipe {text!r} has an empty part; accepted are {_accepted(steps)}.")
    _check_order(text, words)
    chain = words[:-1] if words[-1] in PRECISIONS else words
    precision = words[-1] if words[-1] in PRECISIONS else PLAIN
    return Recipe(tuple(_step(text, word, steps) for word in chain), PRECISIONS[precision])


def _check_order(text: str, words: list[str]) -> None:
    """There is one precision at most, and it is the last word."""
    found = [word for word in words if word in PRECISIONS]
    if len(found) > 1:
        raise RecipeError(f"Recipe {text!r} has {len(found)} precisions, {' and '.join(found)}; keep one, at the end.")
    if found and words[-1] != found[0]:
        chain = [word for word in words if word != found[0]]
        raise RecipeError(
            f"Recipe {text!r} goes on after {found[0]}, which is a precision and comes last; write "
            f"{'+'.join([*chain, *found])!r}."
        )


def _step(text: str, word: str, steps: Steps) -> Step:
    name, colon, behind = word.partition(":")
    if name in PRECISIONS:
        raise RecipeError(f"Recipe {text!r} gives {name} a parameter, but a precision has none; write {name!r}.")
    if name == AUTO:
        raise RecipeError(
            f"Recipe {text!r} has {AUTO} in a chain, but {AUTO} tries whole chains; give --recipe {AUTO} alone."
        )
    if name in ALIASES:
        raise RecipeError(
            f"Recipe {text!r} goes on beside {name}, which is a whole recipe; write {expanded(word)[1]!r} for it."
        )
    if name not in steps:
        near = get_close_matches(name, [*steps, *PRECISIONS, *((*ALIASES, AUTO) if steps else ())], n=1)
        meant = f", perhaps {near[0]!r} is meant" if near else ""
        raise RecipeError(f"Recipe {text!r}: there is no {name!r}{meant}; accepted are {_accepted(steps)}.")
    kind = steps[name]
    parameters, values = fields(kind), behind.split(":") if colon else []
    needed = sum(parameter.default is MISSING for parameter in parameters)
    if not needed <= len(values) <= len(parameters):
        raise RecipeError(f"Recipe {text!r} gives {name} {len(values) or 'no'} parameters; write {_usage(kind)}.")
    return kind(*(_value(text, name, *pair) for pair in zip(parameters, values, strict=False)))


def _value(text: str, step: str, parameter: "Field[Any]", given: str) -> float | str:
    if parameter.type is str:
        word = given.strip().lower()
        if re.fullmatch(parameter.metadata["words"].pattern, word):
            return word
        raise _refused(text, step, parameter, given)
    try:
        value = int(given) if parameter.type is int else float(given)
    except ValueError:
        value = None
    allowed = parameter.metadata["range"]
    if value is None or not allowed.least <= value <= allowed.most:
        raise _refused(text, step, parameter, given)
    return value


def _refused(text: str, step: str, parameter: "Field[Any]", given: str) -> RecipeError:
    return RecipeError(
        f"Recipe {text!r} gives {step} {given!r} as {parameter.name}, which must be {_described(parameter)}."
    )


def _described(parameter: "Field[Any]") -> str:
    if parameter.type is str:
        return str(parameter.metadata["words"].described)
    allowed = parameter.metadata["range"]
    kind = "a whole number" if parameter.type is int else "a number"
    return f"{kind} from {allowed.least:g} to {allowed.most:g}"


def _usage(kind: type[Step]) -> str:
    """How a step is written: `layers:COUNT`, and `sparse:PERCENT[:BLOCK]` where the last may be left out."""
    parts = []
    for parameter in fields(kind):
        part = f":{parameter.name.upper()}"
        parts.append(part if parameter.default is MISSING else f"[{part}]")
    return kind.name + "".join(parts)


def _accepted(steps: Steps) -> str:
    precisions = ", ".join(PRECISIONS)
    if not steps:
        return precisions
    aliases = ", ".join(f"{name}[:PERCENT]" for name in ALIASES)
    usages = ", ".join(_usage(kind) for kind in steps.values())
    return f"the steps {usages}, and at the end one of {precisions}; or alone {aliases}, or {AUTO}"
