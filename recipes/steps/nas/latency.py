"""How long a sub-network takes on the engine that a recipe is for: from a table of layers, measured once.

A text takes what all networks take, and for each layer what a layer of so many heads and units takes. The table is
measured with networks all of whose layers are alike, which shows a layer's share several times as large.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from networks.encoder.shape import EncoderShape
from recipes.steps.nas.space import SIZES
from recipes.work.folder import write_whole
from recipes.work.progress import Progress

# Of all heads and units of the widest layer; what lies between is interpolated.
HEAD_SHARES, UNIT_SHARES = (0.0, 0.5, 1.0), (1 / SIZES, 1 / 3, 1.0)

Latency = Callable[[EncoderShape], float]


class LatencyTable(msgspec.Struct, frozen=True):
    """`layer_s` has a row for each of `heads` and a column for each of `units`, in seconds a text."""

    base_s: float
    heads: tuple[int, ...]
    units: tuple[int, ...]
    layer_s: tuple[tuple[float, ...], ...]

    def seconds(self, shape: EncoderShape) -> float:
        """The seconds that a text takes with an encoder of this shape."""
        return self.base_s + sum(self.layer(*sizes) for sizes in zip(shape.heads, shape.units, strict=True))

    def layer(self, heads: int, units: int) -> float:
        """The seconds of one layer."""
        at_units = [float(np.interp(units, self.units, row)) for row in self.layer_s]
        return float(np.interp(heads, self.heads, at_units))


def measured_table(whole: EncoderShape, latency_s: Latency, file: Path, report: Progress) -> LatencyTable:
    """The table of the sub-networks of `whole`; each figure is kept in `file` as soon as it is known."""
    heads, units = _places(max(whole.heads), HEAD_SHARES), _places(max(whole.units), UNIT_SHARES)
    many = max(2, whole.layers)
    asked = [(many, h, u) for h in heads for u in units]
    one_layer = (1, heads[-1], units[-1])
    known = _measured(whole, [*asked, one_layer], latency_s, file, report)
    whole_s = known[many, heads[-1], units[-1]]
    base_s = known[one_layer] - (whole_s - known[one_layer]) / (many - 1)
    rows = tuple(tuple((known[many, h, u] - base_s) / many for u in units) for h in heads)
    return LatencyTable(base_s, heads, units, rows)


def _measured(
    whole: EncoderShape, asked: list[tuple[int, int, int]], latency_s: Latency, file: Path, report: Progress
) -> dict[tuple[int, int, int], float]:
    """The seconds of encoders by their layers, heads and units."""
    known: dict[str, float] = msgspec.json.decode(file.read_bytes()) if file.is_file() else {}
    for done, (layers, heads, units) in enumerate(asked, 1):
        name = f"{layers}x{heads}x{units}"
        if name not in known:
            known[name] = latency_s(replace(whole, heads=(heads,) * layers, units=(units,) * layers))
            write_whole(file, msgspec.json.encode(known))
            report("measuring latencies", done / len(asked))
    return {one: known["x".join(map(str, one))] for one in asked}


def _places(most: int, shares: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(sorted({max(1, round(share * most)) for share in shares}))
