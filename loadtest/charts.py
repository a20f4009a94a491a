"""The four charts of a report. Pure functions from a report to figures."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from loadtest.analysis import below_threshold, pareto_front
from loadtest.chart_style import COLOURS, INK, MARKERS, MUTED, PAPER, STYLE
from loadtest.comparison import CandidateReport, Report
from loadtest.levels import LevelResult
from loadtest.summary import number, pareto_points, report_common_level

Measure = Callable[[LevelResult], float | None]
Point = tuple[float, float]

_WIDTH_IN, _HEIGHT_IN = 9.6, 4.6
_LEGEND_TOP, _LEGEND_ROW, _LEGEND_COLUMNS = 0.855, 0.05, 3
_LOG_RATIO = 20
_DASHED = "ok answers only; dashed beyond the throttling threshold, given beside each name in users"
# Where a name may stand beside its point, in points, best first: close by, then further up and down on either side.
_LABEL_SIDES = (
    (0, 9, "center", "bottom"),
    (9, 0, "left", "center"),
    (0, -9, "center", "top"),
    (-9, 0, "right", "center"),
    *(
        (9 * side, dy, "left" if side > 0 else "right", "center")
        for dy in (15, -15, 30, -30, 45, -45)
        for side in (1, -1)
    ),
)
_PERCENTS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure with the words that go with it."""

    name: str
    title: str
    description: str
    figure: Figure


@contextmanager
def chart_style() -> Iterator[None]:
    """Every figure is drawn and saved under this style; it also makes SVG files reproducible."""
    with mpl.rc_context(STYLE):
        yield


def draw_charts(report: Report) -> tuple[Chart, ...]:
    """All charts that the numbers allow: accuracy against p95 needs a common level and a measured accuracy."""
    charts = [response_chart(report), rejection_chart(report), throughput_chart(report)]
    return (*charts, pareto_chart(report)) if pareto_points(report) else tuple(charts)


def response_chart(report: Report) -> Chart:
    """Median and p95 of the ok answers against users, one panel each."""
    title = "Response time against users"
    figure, (left, right) = _figure(title, _DASHED, 2, len(report.candidates))
    measures: list[Measure] = [lambda level: level.p50_ms, lambda level: level.p95_ms]
    for axes, name, measure in zip((left, right), ("p50", "p95"), measures, strict=True):
        _draw_lines(axes, report, measure)
        _users_axis(axes, report)
        _mark_thresholds(axes, report)
        axes.annotate(name, (0.015, 0.94), xycoords="axes fraction", weight="bold", va="top")
    values = [value for level in _levels(report) for measure in measures if (value := measure(level))]
    _milliseconds_axis(left, "y", values)
    left.set_ylabel("response time, ms")
    _legend(figure, report)
    described = "; ".join(f"{c.name} throttles at {c.threshold.text} users" for c in report.candidates)
    return Chart("response-time", title, f"p50 and p95 in milliseconds, a line per candidate: {described}.", figure)


def rejection_chart(report: Report) -> Chart:
    """Rejected share against users with the threshold line."""
    title = "Rejected requests against users"
    limit = 100 * report.reject_threshold
    subtitle = f"an endpoint throttles where its line crosses {limit:g} %; beside each name, at how many users"
    figure, (axes,) = _figure(title, subtitle, legend=len(report.candidates))
    # On stretched scales a straight stroke would cross the limit elsewhere than the linear interpolation does.
    _draw_lines(axes, report, lambda level: 100 * level.rejected_share, strokes=24)
    top = max([limit, *(100 * level.rejected_share for level in _levels(report))])
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    axes.yaxis.set_major_locator(FixedLocator([percent for percent in _PERCENTS if percent <= top * 2]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(-0.08, max(2.0, top * 1.3))
    axes.axhline(limit, color=INK, linewidth=1.0, linestyle=(0, (1, 2)))
    _users_axis(axes, report)
    _mark_thresholds(axes, report)
    axes.set_ylabel("rejected, % of requests")
    _legend(figure, report)
    described = f"Rejected requests in percent, a line per candidate, with the {limit:g} % line."
    return Chart("rejected-share", title, described, figure)


def throughput_chart(report: Report) -> Chart:
    """Ok answers per second against users."""
    title = "Throughput against users"
    figure, (axes,) = _figure(title, _DASHED, legend=len(report.candidates))
    _draw_lines(axes, report, lambda level: level.ok_per_s)
    axes.set_ylim(bottom=0)
    _users_axis(axes, report)
    _mark_thresholds(axes, report)
    axes.set_ylabel("ok answers per second")
    _legend(figure, report)
    best = max(report.candidates, key=lambda c: max(level.ok_per_s for level in c.levels))
    most = number(max(level.ok_per_s for level in best.levels))
    return Chart("throughput", title, f"A line per candidate; {best.name} reaches {most} answers per second.", figure)


def pareto_chart(report: Report) -> Chart:
    """Accuracy against p95 at the common level, with the Pareto front; needs at least one point."""
    title = "Accuracy against response time"
    users = report_common_level(report)
    figure, (axes,) = _figure(
        title, f"at {users} users; towards the upper left is better; the line is the Pareto front"
    )
    points = {name: (p95_ms, 100 * value) for name, (p95_ms, value) in pareto_points(report).items()}
    front = pareto_front(points)
    _milliseconds_axis(axes, "x", [p95_ms for p95_ms, _ in points.values()])
    _accuracy_axis(axes, [percent for _, percent in points.values()])
    line = [points[name] for name in front]
    line.append((axes.get_xlim()[1], line[-1][1]))
    axes.plot(*zip(*line, strict=True), drawstyle="steps-post", color=INK, linewidth=1.2, zorder=1)
    for place, candidate in enumerate(report.candidates):
        if candidate.name in points:
            colour = _colour(place) if candidate.name in front else MUTED
            axes.plot(*points[candidate.name], _marker(place), color=colour, markersize=9, markeredgecolor=PAPER)
    _label_points(figure, axes, points, line)
    axes.set_xlabel(f"p95 response time at {users} users, ms (think time {report.think_time_s:g} s)")
    metrics = {c.accuracy.metric for c in report.candidates if c.accuracy}
    axes.set_ylabel(f"{' / '.join(sorted(metrics))}, %")
    return Chart("accuracy", title, f"On the Pareto front: {', '.join(front)}.", figure)


def _figure(title: str, subtitle: str, panels: int = 1, legend: int = 0) -> tuple[Figure, list[Axes]]:
    """Title, subtitle, room for a legend of so many entries, and panels with one vertical axis."""
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN))
    FigureCanvasAgg(figure)
    figure.text(0.012, 0.955, title, size=13, weight="bold", va="center")
    figure.text(0.012, 0.895, subtitle, size=10, color=MUTED, va="center")
    top = _LEGEND_TOP - 0.045 - _LEGEND_ROW * math.ceil(legend / _LEGEND_COLUMNS)
    grid = figure.add_gridspec(1, panels, left=0.08, right=0.985, bottom=0.125, top=top, wspace=0.06)
    return figure, list(grid.subplots(sharey=True, squeeze=False)[0])


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _marker(place: int) -> str:
    # Seven markers against six colours: the pairs repeat only after 42 candidates.
    return MARKERS[place % len(MARKERS)]


def _levels(report: Report) -> Iterator[LevelResult]:
    for candidate in report.candidates:
        yield from candidate.levels


def _draw_lines(axes: Axes, report: Report, measure: Measure, strokes: int = 1) -> None:
    for place, candidate in enumerate(report.candidates):
        points = [(level, value) for level in _ordered(candidate) if (value := measure(level)) is not None]
        held = sum(below_threshold(level, candidate.threshold) for level, _ in points)
        users, values = [level.users for level, _ in points], [value for _, value in points]
        colour, beyond = _colour(place), max(0, held - 1)
        axes.plot(*_divided(users[:held], values[:held], strokes), color=colour, linewidth=2)
        further = _divided(users[beyond:], values[beyond:], strokes)
        axes.plot(*further, color=colour, linewidth=1.5, linestyle=(0, (3, 2)))
        for (level, value), count in zip(points, users, strict=True):
            face = PAPER if level.suspect else colour
            axes.plot(count, value, _marker(place), color=colour, markerfacecolor=face, markersize=5.5)


def _divided(users: Sequence[float], values: Sequence[float], strokes: int) -> tuple[Sequence[float], Sequence[float]]:
    """The same line with each piece between two levels divided into so many strokes."""
    if len(users) < 2:
        return users, values
    places = np.linspace(0, len(users) - 1, (len(users) - 1) * strokes + 1)
    corners = np.arange(len(users))
    return list(np.interp(places, corners, users)), list(np.interp(places, corners, values))


def _ordered(candidate: CandidateReport) -> Sequence[LevelResult]:
    return sorted(candidate.levels, key=lambda level: level.users)


def _mark_thresholds(axes: Axes, report: Report) -> None:
    """A coloured mark on the upper edge, or a bar where only two levels bound the threshold."""
    for place, candidate in enumerate(report.candidates):
        low, high = candidate.threshold.bracket
        if low is None or high is None:
            continue
        crossing = candidate.threshold.users
        users = (low, high) if crossing is None else (crossing,)
        edge = axes.get_xaxis_transform()
        colour = _colour(place)
        style: dict[str, Any] = {"color": colour, "markersize": 9, "transform": edge, "clip_on": False}
        axes.plot(users, [1.0] * len(users), marker=CARETDOWN, **style)


def _users_scale(axes: Axes, report: Report) -> None:
    counts = [level.users for level in _levels(report)]
    if max(counts) > 16 * min(counts):
        axes.set_xscale("log", base=2)
        axes.set_xlim(min(counts) / 1.15, max(counts) * 1.15)
    else:
        margin = max(0.5, 0.03 * (max(counts) - min(counts)))
        axes.set_xlim(min(counts) - margin, max(counts) + margin)


def _users_axis(axes: Axes, report: Report) -> None:
    _users_scale(axes, report)
    if axes.get_xscale() == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(f"users (mean think time {report.think_time_s:g} s)")


def _milliseconds_axis(axes: Axes, letter: Literal["x", "y"], values: Sequence[float]) -> None:
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


def _legend(figure: Figure, report: Report) -> None:
    """Names the candidates, each with its threshold, in the band that `_figure` left free."""
    handles = [
        Line2D([], [], color=_colour(place), marker=_marker(place), linewidth=2, label=label)
        for place, label in enumerate(f"{c.name}: {c.threshold.text}" for c in report.candidates)
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.006, _LEGEND_TOP),
        ncols=_LEGEND_COLUMNS,
        columnspacing=2,
        borderpad=0,
    )


def _accuracy_axis(axes: Axes, percents: Sequence[float]) -> None:
    margin = max(0.5, (max(percents) - min(percents)) * 0.2)
    axes.set_ylim(min(percents) - margin, max(percents) + margin)
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _label_points(figure: Figure, axes: Axes, points: dict[str, tuple[float, float]], front: Sequence[Point]) -> None:
    """Put each name on the first side of its point where it covers no point, no other name and not the front."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined] # an Agg canvas has one
    frame = axes.get_window_extent(renderer)
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in axes.transData.transform(list(points.values()))]
    taken += _step_boxes(axes.transData.transform(front))
    for name, point in sorted(points.items(), key=lambda item: item[1]):
        for dx, dy, ha, va in _LABEL_SIDES:
            label = axes.annotate(name, point, (dx, dy), textcoords="offset points", ha=ha, va=va)
            box = label.get_window_extent(renderer)
            if frame.x0 <= box.x0 and box.x1 <= frame.x1 and not any(_overlap(box.extents, other) for other in taken):
                break
            label.remove()
        else:
            label = axes.annotate(name, point, (9, 60), textcoords="offset points", ha="left", va="bottom")
            box = label.get_window_extent(renderer)
        taken.append(box.extents)


def _step_boxes(corners: Iterable[Point]) -> list[tuple[float, float, float, float]]:
    """The pixels that the front's steps cover: across to the next corner, then up to it."""
    corners = list(corners)
    across = [(x0, y0 - 1, x1, y0 + 1) for (x0, y0), (x1, _) in pairwise(corners)]
    return across + [(x1 - 1, y0, x1 + 1, y1) for (_, y0), (x1, y1) in pairwise(corners)]


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
