"""Names for whole recipes that are made often, each in one place."""

import re
from dataclasses import dataclass

from model_store.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Alias:
    """`chain` is the recipe that it stands for, with a share in percent at its `{}`: `default`, unless one is given."""

    chain: str
    default: float

    def text(self, name: str, percent: float) -> str:
        """As one would write it with this share."""
        return name if percent == self.default else f"{name}:{percent:g}"


ALIASES = {
    # Movement pruning, INT8 and distillation, as the published joint recipe; one after the other, so that each can be
    # looked at. Where INT8 costs too much accuracy, the build trains for it (`--max-drop`).
    "jpqd": Alias("movement:macs<={:g}%+int8", default=40),
}


def expanded(text: str) -> tuple[str | None, str]:
    """The alias that `text` is, as one would write it, and the recipe that it stands for; else None and `text`.

    Raises:
        RecipeError: what is behind the alias is no share in percent.
    """
    name, colon, behind = text.strip().partition(":")
    if name not in ALIASES or "+" in behind:
        return None, text
    alias = ALIASES[name]
    if colon and not re.fullmatch(r"0*[1-9]\d?(\.\d+)?", behind):
        raise RecipeError(
            f"Recipe {text!r} gives {name} {behind!r}, which must be a number of percent from 1 to below 100; without "
            f"one it is {alias.default:g}."
        )
    percent = float(behind or alias.default)
    return alias.text(name, percent), alias.chain.format(percent)
