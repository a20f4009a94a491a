"""A curve in one line of text."""

from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A bar for each of `values`, from the least to the largest; of more than `width` values some, evenly spaced."""
    shown = values
    if len(values) > width:
        shown = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    least, most = min(values), max(values)
    steps = (len(_BARS) - 1) / (most - least) if most > least else 0.0
    return "".join(_BARS[round((value - least) * steps)] for value in shown)
