"""What charts are put together from: a figure with its heading, its legend, and axes that say what they show.

A figure is as wide as the page of a phone, so that its text can be read there; where there is room, a page has two
beside each other.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from loadtest.report.chart_style import HEADING, INK, MUTED, colour_of, marker_of
from loadtest.report.table import Table
from loadtest.results.comparison import Report
from loadtest.statistics.repeats import threshold_over

WIDTH_IN = 4.6
POINTS = 72
_TITLE_IN, _LINE_IN, _LEGEND_ROW_IN, _LABEL_IN = 0.36, 0.175, 0.2, 0.26
_LEFT_IN, _RIGHT_IN, _BOTTOM_IN = 0.56, 0.14, 0.5
# Letters that a subtitle, a name in one of two columns, and a name at all may have.
_SUBTITLE, _HALF, _NAME = 66, 20, 46
_LOG_RATIO, _FAR_APART = 20, 8

Handle = Line2D | Patch


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with the words that go with it."""

    name: str
    title: str
    reading: str
    """How to read it, under it."""
    description: str
    """What it shows, for those who do not see it."""
    figure: Figure
    heading_in: float
    """How much of the figure is its heading."""
    table: Table | None = None
    """The numbers behind it, where the table of levels does not have them."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A figure with room for panels of the given heights under a heading and a legend."""

    figure: Figure
    axes: tuple[Axes, ...]
    heading_in: float


def new_canvas(
    title: str,
    subtitle: str,
    panels_in: Sequence[float],
    handles: Sequence[Handle] = (),
    left_in: float = _LEFT_IN,
    label_in: float = _LABEL_IN,
) -> Canvas:
    """Title, subtitle, legend, and panels one below the other; all but the lowest have no labels of their places."""
    lines = textwrap.wrap(subtitle, _SUBTITLE)
    heading_in = _TITLE_IN + _LINE_IN * len(lines)
    columns = 2 if all(len(str(handle.get_label())) <= _HALF for handle in handles) else 1
    legend_in = _LEGEND_ROW_IN * ceil(len(handles) / columns) + 0.06 * bool(handles)
    height_in = heading_in + legend_in + sum(panels_in) + label_in * len(panels_in) + _BOTTOM_IN
    figure = Figure(figsize=(WIDTH_IN, height_in))
    FigureCanvasAgg(figure)
    _write_heading(figure, title, lines, height_in)
    if handles:
        _draw_legend(figure, handles, columns, 1 - heading_in / height_in)
    axes, top_in = [], height_in - heading_in - legend_in
    for panel_in in panels_in:
        top_in -= label_in + panel_in
        width = (WIDTH_IN - left_in - _RIGHT_IN) / WIDTH_IN
        axes.append(figure.add_axes((left_in / WIDTH_IN, top_in / height_in, width, panel_in / height_in)))
    return Canvas(figure, tuple(axes), heading_in)


def _write_heading(figure: Figure, title: str, lines: Sequence[str], height_in: float) -> None:
    style: dict[str, Any] = {"gid": HEADING, "va": "center"}
    figure.text(0.012, 1 - 0.18 / height_in, title, size=12, weight="bold", **style)
    for place, line in enumerate(lines):
        y_in = _TITLE_IN + _LINE_IN * (place + 0.3)
        figure.text(0.012, 1 - y_in / height_in, line, size=8.5, color=MUTED, **style)


def _draw_legend(figure: Figure, handles: Sequence[Handle], columns: int, top: float) -> None:
    figure.legend(
        handles=list(handles),
        loc="upper left",
        bbox_to_anchor=(0.0, top),
        ncols=columns,
        columnspacing=1.5,
        borderpad=0.1,
        borderaxespad=0.2,
        labelspacing=0.25,
        handlelength=1.6,
        handler_map={tuple: HandlerTuple(None)},
    )


def shortened(name: str, most: int = _NAME) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def handles_of(report: Report, names: Sequence[str] | None = None) -> list[Handle]:
    """An entry of the legend for each candidate, or for those of `names`."""
    return [
        Line2D([], [], color=colour_of(place), marker=marker_of(place), label=shortened(candidate.name))
        for place, candidate in enumerate(report.candidates)
        if names is None or candidate.name in names
    ]


def label_above(axes: Axes, text: str) -> None:
    """What the vertical axis shows, written above it, where it needs no width and no turned head."""
    axes.set_title(text, loc="left", color=MUTED, size=9.5, pad=6, x=-_LEFT_IN / _plot_width_in(axes) + 0.01)


def _plot_width_in(axes: Axes) -> float:
    return float(axes.get_position().width) * WIDTH_IN


def users_axis(axes: Axes, report: Report, counts: Sequence[float]) -> None:
    """Linear, or logarithmic where the thresholds lie far apart."""
    low, high = min(counts, default=1.0), max(counts, default=1.0)
    held = [most for one in report.candidates if (most := threshold_over(one.runs).at_least) > 0]
    if held and max(held) > _FAR_APART * min(held):
        _log_axis(axes, "x", low / 1.15, high * 1.15)
    else:
        axes.set_xlim(min(0, low - 1) - 0.01 * high, 1.03 * high)
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel(f"users (mean think time {report.think_time_s:g} s)")


def value_axis(axes: Axes, letter: Literal["x", "y"], values: Sequence[float]) -> None:
    """From zero, or logarithmic when the values span more than a factor of twenty."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if low > 0 and high > _LOG_RATIO * low:
        _log_axis(axes, letter, low / 1.4, high * 1.4)
        return
    axes.set(**{f"{letter}lim": (0, high * 1.12 or 1.0)})
    axis = axes.xaxis if letter == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _log_axis(axes: Axes, letter: Literal["x", "y"], low: float, high: float) -> None:
    axes.set(**{f"{letter}scale": "log", f"{letter}lim": (low, high)})
    axis = axes.xaxis if letter == "x" else axes.yaxis
    # A step for each factor of two or so; over several powers of ten these would run into each other.
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 3000 else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def limit_line(axes: Axes, at: float, *, dashes: tuple[float, float] = (1, 2)) -> None:
    axes.axhline(at, color=INK, linewidth=1.1, linestyle=(0, dashes), zorder=1.5)


def limit_handle(label: str, dashes: tuple[float, float] = (1, 2)) -> Line2D:
    return Line2D([], [], color=INK, linewidth=1.1, linestyle=(0, dashes), label=label)
