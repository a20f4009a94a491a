"""The chart of quality against response time, with the Pareto front."""

from collections.abc import Sequence
from itertools import pairwise, product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from loadtest.report.chart_parts import Chart, Handle, handles_of, label_above, new_canvas, value_axis
from loadtest.report.chart_style import INK, PAPER, colour_of, marker_of
from loadtest.report.common import common_load
from loadtest.report.table import Table
from loadtest.report.wording import MISSING, SHARES, interval_of, number, one_point, report_metric
from loadtest.results.comparison import Report
from loadtest.statistics.front import Front, FrontPoint, front_of

Place = tuple[float, float]
Box = tuple[float, float, float, float]
_HEIGHT_IN = 2.7
# More names than these cover each other; then a legend has them.
_MOST_NAMES = 5

# Where a name may be put beside its data point, best first: close to it, then further up and down on either side.
# Offsets in typographic points, with the alignment of the text.
_LABEL_SIDES = (
    (0, 8, "center", "bottom"),
    (8, 0, "left", "center"),
    (0, -8, "center", "top"),
    (-8, 0, "right", "center"),
    *(
        (8 * side, dy, "left" if side > 0 else "right", "center")
        for dy in (14, -14, 28, -28, 42, -42)
        for side in (1, -1)
    ),
)


def pareto_chart(report: Report) -> Chart | None:
    """Quality against p95 at the common load, each with its interval; None where no candidate has both."""
    front = front_of(report)
    if not front.points:
        return None
    metric = report_metric(report) or "quality"
    title = f"{metric[0].upper()}{metric[1:]} against response time"
    factor, unit = (100.0, ", %") if metric in SHARES else (1.0, "")
    is_crowded = len(front.points) > _MOST_NAMES
    legend: list[Handle] = handles_of(report, [point.name for point in front.points]) if is_crowded else []
    subtitle = f"{common_load(report).where}; towards the upper left is better; bars are intervals of 95 %"
    canvas = new_canvas(title, subtitle, [_HEIGHT_IN], legend)
    (axes,) = canvas.axes
    _set_axes(axes, front, factor, metric in SHARES)
    steps = _draw_front(axes, front, factor)
    places = {one.name: place for place, one in enumerate(report.candidates)}
    for point in front.points:
        _draw(axes, point, places[point.name], factor)
    if not is_crowded:
        points = {point.name: (point.p95_ms, factor * point.quality) for point in front.points}
        _label_points(canvas.figure, axes, points, [*_step_boxes(axes, steps), *_bar_boxes(axes, front, factor)])
    axes.set_xlabel("p95 response time, ms")
    label_above(axes, f"{metric}{unit}")
    described = f"On the Pareto front: {', '.join(front.names)}."
    reading = "A candidate on the line is clearly beaten by no other; hollow ones are beaten, or lose too much."
    table = _table(front, metric)
    return Chart("quality", title, reading, described, canvas.figure, canvas.heading_in, table)


def _table(front: Front, metric: str) -> Table:
    rows = tuple(
        (
            point.name,
            f"{number(point.p95_ms)}{interval_of(point.p95_interval_ms)}",
            f"{number(point.quality)}{interval_of(point.quality_interval)}",
            "yes" if point.is_on_front else "no",
            "yes" if point.is_below_floor else MISSING,
        )
        for point in front.points
    )
    return Table(("candidate", "p95, ms (95%)", f"{metric} (95%)", "on the front", "loses too much"), rows)


def _set_axes(axes: Axes, front: Front, factor: float, is_share: bool) -> None:
    """The range of the intervals, at least half a point more on either side, and never beyond what a share can be."""
    times = [end for one in front.points for end in (one.p95_ms, *one.p95_interval_ms)]
    value_axis(axes, "x", times)
    values = [factor * end for one in front.points for end in (one.quality, *(one.quality_interval or ()))]
    margin = max(0.5 * one_point(values), (max(values) - min(values)) * 0.15)
    low, high = min(values) - margin, max(values) + margin
    # A marker at 100 % is drawn whole: points are not clipped.
    axes.set_ylim((max(low, 0.0), min(high, 100.0)) if is_share else (low, high))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _draw_front(axes: Axes, front: Front, factor: float) -> list[Place]:
    """Steps through those on the front that have more quality than all that are faster."""
    steps: list[Place] = []
    for point in front.points:
        if point.is_on_front and (not steps or factor * point.quality > steps[-1][1]):
            steps.append((point.p95_ms, factor * point.quality))
    if steps:
        steps.append((axes.get_xlim()[1], steps[-1][1]))
        xs, ys = zip(*steps, strict=True)
        axes.plot(xs, ys, drawstyle="steps-post", color=INK, linewidth=1.2, zorder=1)
    return steps


def _draw(axes: Axes, point: FrontPoint, place: int, factor: float) -> None:
    colour, y = colour_of(place), factor * point.quality
    axes.plot(point.p95_interval_ms, (y, y), color=colour, linewidth=1.2)
    if point.quality_interval:
        low, high = (factor * end for end in point.quality_interval)
        axes.plot((point.p95_ms, point.p95_ms), (low, high), color=colour, linewidth=1.2)
    face = colour if point.is_on_front else PAPER
    axes.plot(
        point.p95_ms, y, marker_of(place), color=colour, markerfacecolor=face, markersize=7.5, zorder=3, clip_on=False
    )


def _label_points(figure: Figure, axes: Axes, points: dict[str, Place], drawn: list[Box]) -> None:
    """Put each name on the first side of its point where it covers no other name, no point, and nothing `drawn`.

    Where there is no such side, what is drawn may be covered.
    """
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined] # an Agg canvas has one
    frame = axes.get_window_extent(renderer).extents
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in axes.transData.transform(list(points.values()))]
    for name, point in sorted(points.items(), key=lambda item: item[1]):
        for avoided, side in product(([*taken, *drawn], taken, []), _LABEL_SIDES):
            dx, dy, ha, va = side
            label = axes.annotate(name, point, (dx, dy), textcoords="offset points", ha=ha, va=va, size=9.5)
            box = label.get_window_extent(renderer).extents
            if _inside(box, frame) and not any(_overlap(box, other) for other in avoided):
                taken.append((box[0], box[1], box[2], box[3]))
                break
            label.remove()


def _bar_boxes(axes: Axes, front: Front, factor: float) -> list[Box]:
    """The pixels that the intervals cover."""
    boxes = []
    for point in front.points:
        at = point.p95_ms, factor * point.quality
        times, values = point.p95_interval_ms, point.quality_interval
        (x0, y), (x1, _) = axes.transData.transform([(times[0], at[1]), (times[1], at[1])])
        boxes.append((x0, y - 1, x1, y + 1))
        if values:
            (x, y0), (_, y1) = axes.transData.transform([(at[0], factor * values[0]), (at[0], factor * values[1])])
            boxes.append((x - 1, y0, x + 1, y1))
    return boxes


def _step_boxes(axes: Axes, steps: Sequence[Place]) -> list[Box]:
    """The pixels that the front's steps cover: across to the next corner, then up to it."""
    corners = list(axes.transData.transform(steps)) if steps else []
    across = [(x0, y0 - 1, x1, y0 + 1) for (x0, y0), (x1, _) in pairwise(corners)]
    return across + [(x1 - 1, y0, x1 + 1, y1) for (_, y0), (x1, y1) in pairwise(corners)]


def _inside(box: Sequence[float], frame: Sequence[float]) -> bool:
    return frame[0] <= box[0] and box[2] <= frame[2] and frame[1] <= box[1] and box[3] <= frame[3]


def _overlap(one: Sequence[float], other: Sequence[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
