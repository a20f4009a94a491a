"""What a recipe asks of movement pruning: a budget, or the strength of a pull towards few weights."""

import re
from dataclasses import dataclass
from typing import Literal, cast

Quantity = Literal["macs", "parameters", "latency"]

PATTERN = r"(macs|parameters|latency)<=0*[1-9]\d?(\.\d+)?%|lambda=\d+(\.\d+)?"
DESCRIBED = "'macs<=50%', 'parameters<=50%' or 'latency<=50%' with any share below 100 %, or 'lambda=0.05'"


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `share` (0 to 1) of what the layers of the checkpoint have of a quantity."""

    quantity: Quantity
    share: float


@dataclass(frozen=True, slots=True)
class Pull:
    """The regularisation of the published recipe: how much remains follows from it, and is not known before."""

    strength: float


def read_limit(text: str) -> Budget | Pull:
    """What a word says that `PATTERN` matches."""
    found = re.fullmatch(r"(?P<name>[a-z]+)(<=|=)(?P<number>[\d.]+)%?", text)
    assert found, "this is a bug: the recipe's grammar lets no other words through"
    if found["name"] == "lambda":
        return Pull(float(found["number"]))
    return Budget(cast(Quantity, found["name"]), float(found["number"]) / 100)
