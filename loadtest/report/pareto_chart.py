"""The chart of quality against response time, with the Pareto front."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from loadtest.report.analysis import pareto_front
from loadtest.report.chart_parts import Chart, milliseconds_axis, new_figure
from loadtest.report.chart_style import INK, MUTED, PAPER, colour_of, marker_of
from loadtest.report.summary import pareto_points, report_common_level, report_metric
from loadtest.report.wording import SHARES, one_point
from loadtest.results.comparison import Report

Point = tuple[float, float]

# Where a name may be put beside its data point, best first: close to it, then further up and down on either side.
# Offsets in typographic points, with the alignment of the text.
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


def pareto_chart(report: Report) -> Chart:
    """Quality against p95 at the common level, with the Pareto front; needs at least one point."""
    metric = report_metric(report) or "quality"
    title = f"{metric[0].upper()}{metric[1:]} against response time"
    users = report_common_level(report)
    figure, (axes,) = new_figure(
        title, f"at {users} users; towards the upper left is better; the line is the Pareto front"
    )
    factor = 100 if metric in SHARES else 1
    points = {name: (p95_ms, factor * value) for name, (p95_ms, value) in pareto_points(report).items()}
    front = pareto_front(points)
    milliseconds_axis(axes, "x", [p95_ms for p95_ms, _ in points.values()])
    _quality_axis(axes, [value for _, value in points.values()])
    line = [points[name] for name in front]
    line.append((axes.get_xlim()[1], line[-1][1]))
    axes.plot(*zip(*line, strict=True), drawstyle="steps-post", color=INK, linewidth=1.2, zorder=1)
    for place, candidate in enumerate(report.candidates):
        if candidate.name in points:
            colour = colour_of(place) if candidate.name in front else MUTED
            axes.plot(*points[candidate.name], marker_of(place), color=colour, markersize=9, markeredgecolor=PAPER)
    _label_points(figure, axes, points, line)
    axes.set_xlabel(f"p95 response time at {users} users, ms (think time {report.think_time_s:g} s)")
    axes.set_ylabel(f"{metric}, %" if metric in SHARES else metric)
    return Chart("quality", title, f"On the Pareto front: {', '.join(front)}.", figure)


def _quality_axis(axes: Axes, values: Sequence[float]) -> None:
    """The range of the values with at least half a point on either side, so that small differences look small."""
    margin = max(0.5 * one_point(values), (max(values) - min(values)) * 0.2)
    axes.set_ylim(min(values) - margin, max(values) + margin)
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
