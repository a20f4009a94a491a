"""What an encoder of a shape costs, in multiplications, weights or seconds, and what one head or unit has of that."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from networks.encoder.shape import EncoderShape
from recipes.work.folder import write_whole

# A smaller difference than to this share is lost among those from one measurement to the next.
_MEASURABLE = 0.75

CostOf = Callable[[EncoderShape], float]


@dataclass(frozen=True, slots=True)
class LinearCosts:
    """The cost of an encoder as a sum: `base`, and so much for each head and each unit."""

    base: float
    head: float
    unit: float

    def of(self, shape: EncoderShape) -> float:
        return self.base + self.head * sum(shape.heads) + self.unit * sum(shape.units)


def linear_costs(cost_of: CostOf, shape: EncoderShape, share: float) -> LinearCosts:
    """From an encoder of the shape, one with about `share` of its heads and one with about `share` of its units.

    Multiplications and weights are such sums exactly. Seconds are so nearly, best where they are to end up; a part that
    seems to cost none is taken to cost very little.
    """
    whole = cost_of(shape)
    least = 1e-9 * whole
    fewer_heads = replace(shape, heads=_about(share, shape.heads))
    fewer_units = replace(shape, units=_about(share, shape.units))
    heads, units = sum(shape.heads) - sum(fewer_heads.heads), sum(shape.units) - sum(fewer_units.units)
    head = max(least, (whole - cost_of(fewer_heads)) / max(1, heads))
    unit = max(least, (whole - cost_of(fewer_units)) / max(1, units))
    return LinearCosts(whole - head * sum(shape.heads) - unit * sum(shape.units), head, unit)


def _about(share: float, counts: tuple[int, ...]) -> tuple[int, ...]:
    """So much of each that a difference can be measured."""
    return tuple(max(1, int(min(share, _MEASURABLE) * count)) for count in counts)


class KeptLatencies:
    """Measures each shape once, also if the process is killed in between: a second measurement would be another."""

    def __init__(self, file: Path, measure: CostOf) -> None:
        self._file, self._measure = file, measure
        self._known: dict[str, float] = msgspec.json.decode(file.read_bytes()) if file.is_file() else {}

    def __call__(self, shape: EncoderShape) -> float:
        name = f"heads {shape.heads}, units {shape.units}"
        if name not in self._known:
            self._known[name] = self._measure(shape)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._file, msgspec.json.encode(self._known))
        return self._known[name]
