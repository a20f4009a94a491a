"""Which of the sub-networks that were evaluated is taken: by a rule that a recipe spells."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from model_store.errors import RecipeError
from recipes.steps.nas.hypervolume import front

PATTERN = r"largest|error<=dense\+\d+(\.\d+)?|(parameters|latency)<=\d+(\.\d+)?%"
DESCRIBED = (
    "'largest', or a rule like 'error<=dense+1.0' (in points), 'parameters<=60%' (of the encoder's) or 'latency<=50%'"
)


class Figures(Protocol):
    """What is known of a sub-network: the share of rows that it gets wrong, its size and its seconds a text."""

    @property
    def error(self) -> float: ...
    @property
    def parameters(self) -> int: ...
    @property
    def latency_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Dense:
    """The figures of the checkpoint that the step is given."""

    error: float
    parameters: int
    latency_s: float


P = TypeVar("P", bound=Figures)


def picked(rule: str, points: Sequence[P], dense: Dense) -> P:
    """The sub-network that `rule` takes, of those smaller than dense; of equally good ones the smallest.

    Raises:
        RecipeError: there is none that the rule allows.
    """
    smaller = [point for point in points if point.parameters < dense.parameters]
    if rule == "largest":
        best = front([(point.error, float(point.parameters)) for point in points])
        return _first(rule, [one for one in smaller if (one.error, one.parameters) in best], _largest)
    quantity, limit = _limit(rule, dense)
    allowed = [point for point in smaller if getattr(point, quantity) <= limit + 1e-9]
    if not allowed and smaller:
        nearest = min(smaller, key=lambda point: float(getattr(point, quantity)))
        raise RecipeError(f"No sub-network keeps to {rule!r}; the nearest has {_shown(quantity, nearest, dense)}.")
    return _first(rule, allowed, _smallest if quantity == "error" else _fewest_errors)


def _first(rule: str, points: Sequence[P], order: Callable[[Figures], tuple[float, ...]]) -> P:
    if not points:
        raise RecipeError(f"No sub-network that is smaller than the checkpoint keeps to {rule!r}; evaluate more.")
    return min(points, key=order)


def _largest(point: Figures) -> tuple[float, ...]:
    return -point.parameters, point.error, point.latency_s


def _smallest(point: Figures) -> tuple[float, ...]:
    return point.parameters, point.error, point.latency_s


def _fewest_errors(point: Figures) -> tuple[float, ...]:
    return point.error, point.parameters, point.latency_s


def _limit(rule: str, dense: Dense) -> tuple[str, float]:
    """The quantity that a rule bounds, and its bound."""
    match = re.fullmatch(r"(\w+)<=(?:dense\+)?([\d.]+)%?", rule)
    assert match, "this is a bug: the grammar let another rule through"
    quantity, number = match[1], float(match[2]) / 100
    if quantity == "error":
        return "error", dense.error + number
    name = {"parameters": "parameters", "latency": "latency_s"}[quantity]
    return name, number * float(getattr(dense, name))


def _shown(quantity: str, point: Figures, dense: Dense) -> str:
    if quantity == "error":
        return f"an error {100 * (point.error - dense.error):.2f} points above dense"
    share = getattr(point, quantity) / getattr(dense, quantity)
    return f"{100 * share:.1f} % of dense's {quantity.removesuffix('_s')}"
