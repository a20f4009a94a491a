"""What charts are put together from: a figure with its title, axes, lines, thresholds and a legend."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from loadtest.report.analysis import below_threshold
from loadtest.report.chart_style import MUTED, PAPER, colour_of, marker_of
from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.levels import LevelResult
from loadtest.statistics.repeats import threshold_over

Measure = Callable[[LevelResult], float | None]

_WIDTH_IN, _HEIGHT_IN = 9.6, 4.6
_LEGEND_TOP, _LEGEND_ROW, _LEGEND_COLUMNS = 0.855, 0.05, 3
_LOG_RATIO = 20


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with the words that go with it."""

    name: str
    title: str
    description: str
    figure: Figure


def new_figure(title: str, subtitle: str, panels: int = 1, legend: int = 0) -> tuple[Figure, list[Axes]]:
    """Title, subtitle, room for a legend of so many entries, and panels with one vertical axis."""
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN))
    FigureCanvasAgg(figure)
    figure.text(0.012, 0.955, title, size=13, weight="bold", va="center")
    figure.text(0.012, 0.895, subtitle, size=10, color=MUTED, va="center")
    top = _LEGEND_TOP - 0.045 - _LEGEND_ROW * math.ceil(legend / _LEGEND_COLUMNS)
    grid = figure.add_gridspec(1, panels, left=0.08, right=0.985, bottom=0.125, top=top, wspace=0.06)
    return figure, list(grid.subplots(sharey=True, squeeze=False)[0])


def levels_of(report: Report) -> Iterator[LevelResult]:
    """The levels of all candidates."""
    for candidate in report.candidates:
        yield from candidate.levels


def draw_lines(axes: Axes, report: Report, measure: Measure, strokes: int = 1) -> None:
    """A line per candidate, dashed beyond its threshold; hollow points are of levels that cannot be trusted."""
    for place, candidate in enumerate(report.candidates):
        points = [(level, value) for level in _ordered(candidate) if (value := measure(level)) is not None]
        held = sum(below_threshold(level, threshold_over(candidate.runs)) for level, _ in points)
        users, values = [level.users for level, _ in points], [value for _, value in points]
        colour, beyond = colour_of(place), max(0, held - 1)
        axes.plot(*_divided(users[:held], values[:held], strokes), color=colour, linewidth=2)
        further = _divided(users[beyond:], values[beyond:], strokes)
        axes.plot(*further, color=colour, linewidth=1.5, linestyle=(0, (3, 2)))
        for (level, value), count in zip(points, users, strict=True):
            face = PAPER if not level.is_sound else colour
            axes.plot(count, value, marker_of(place), color=colour, markerfacecolor=face, markersize=5.5)


def _divided(users: Sequence[float], values: Sequence[float], strokes: int) -> tuple[Sequence[float], Sequence[float]]:
    """The same line with each piece between two levels divided into so many strokes."""
    if len(users) < 2:
        return users, values
    places = np.linspace(0, len(users) - 1, (len(users) - 1) * strokes + 1)
    corners = np.arange(len(users))
    return list(np.interp(places, corners, users)), list(np.interp(places, corners, values))


def _ordered(candidate: CandidateReport) -> Sequence[LevelResult]:
    return sorted(candidate.levels, key=lambda level: level.users)


def mark_thresholds(axes: Axes, report: Report) -> None:
    """On the upper edge a mark at each threshold with a bar for its interval, or for the levels that bound it."""
    for place, candidate in enumerate(report.candidates):
        threshold, colour = threshold_over(candidate.runs), colour_of(place)
        edge = axes.get_xaxis_transform()
        style: dict[str, Any] = {"color": colour, "transform": edge, "clip_on": False}
        low, high = threshold.bracket if threshold.at is None else threshold.interval
        if low is not None and high is not None:
            axes.plot([low, high], [1.0, 1.0], linewidth=3, alpha=0.5, solid_capstyle="butt", **style)
        if threshold.at is not None:
            axes.plot([threshold.at], [1.0], marker=CARETDOWN, markersize=9, **style)


def _users_scale(axes: Axes, report: Report) -> None:
    counts = [level.users for level in levels_of(report)]
    if max(counts) > 16 * min(counts):
        axes.set_xscale("log", base=2)
        axes.set_xlim(min(counts) / 1.15, max(counts) * 1.15)
    else:
        margin = max(0.5, 0.03 * (max(counts) - min(counts)))
        axes.set_xlim(min(counts) - margin, max(counts) + margin)


def users_axis(axes: Axes, report: Report) -> None:
    _users_scale(axes, report)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(f"users (mean think time {report.think_time_s:g} s)")


def milliseconds_axis(axes: Axes, letter: Literal["x", "y"], values: Sequence[float]) -> None:
    """From zero, or logarithmic when the values span more than a factor of twenty."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    if high <= _LOG_RATIO * low:
        axes.set(**{f"{letter}lim": (0, high * 1.15)})
        return
    axes.set(**{f"{letter}scale": "log", f"{letter}lim": (low / 1.4, high * 1.4)})
    axis = axes.xaxis if letter == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def draw_legend(figure: Figure, report: Report) -> None:
    """Names the candidates, each with its threshold, in the band that `new_figure` left free."""
    handles = [
        Line2D([], [], color=colour_of(place), marker=marker_of(place), linewidth=2, label=label)
        for place, label in enumerate(f"{c.name}: {threshold_over(c.runs).text}" for c in report.candidates)
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.006, _LEGEND_TOP),
        ncols=_LEGEND_COLUMNS,
        columnspacing=2,
        borderpad=0,
    )
