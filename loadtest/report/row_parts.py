"""What charts with a row for each candidate share: a name and a value above each row, and no vertical axis."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from loadtest.report.chart_parts import Canvas, Handle, new_canvas, shortened
from loadtest.report.chart_style import INK, PAPER

_ROW_IN, _SIDE_IN, _ABOVE_IN = 0.46, 0.14, 0.06
# That fit beside each other in a row.
_LETTERS = 50


def row_canvas(title: str, subtitle: str, rows: int, signs: Sequence[Handle]) -> Canvas:
    canvas = new_canvas(title, subtitle, [_ROW_IN * rows], signs, left_in=_SIDE_IN, label_in=_ABOVE_IN)
    (axes,) = canvas.axes
    axes.set_ylim(rows - 0.35, -0.65)
    axes.yaxis.set_visible(False)
    axes.grid(visible=True, axis="x")
    axes.spines["left"].set_visible(False)
    return canvas


def write_row(axes: Axes, height: int, name: str, value: str) -> None:
    """Above a row its name, and at the other end what it shows."""
    edge = axes.get_yaxis_transform()
    style = {"transform": edge, "va": "bottom", "size": 9.5, "bbox": {"facecolor": PAPER, "linewidth": 0, "pad": 0.8}}
    axes.text(0, height - 0.2, shortened(name, _LETTERS - len(value)), ha="left", color=INK, **style)  # type: ignore[arg-type]
    axes.text(1, height - 0.2, value, ha="right", color=INK, weight="bold", **style)  # type: ignore[arg-type]
