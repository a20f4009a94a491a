"""Charts over the number of users: response times, unserved requests, throughput."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from loadtest.report.chart_parts import (
    Canvas,
    Chart,
    Handle,
    handles_of,
    label_above,
    limit_handle,
    limit_line,
    new_canvas,
    users_axis,
    value_axis,
)
from loadtest.report.chart_style import MUTED, PAPER, SHADE, colour_of, marker_of
from loadtest.report.points import Measure, Point, beyond_all, lines_of, points_of, users_of
from loadtest.report.wording import is_bracket
from loadtest.results.comparison import Report
from loadtest.results.levels import LevelResult
from loadtest.statistics.repeats import threshold_over

_PERCENTS = (0, 1, 2, 5, 10, 20, 50, 100)
_HEIGHT_IN = 2.5
_DASHES, _DEADLINE_DASHES = (1.0, 2.0), (5.0, 2.0)


@dataclass(frozen=True, slots=True)
class _Limit:
    at: float
    label: str
    dashes: tuple[float, float] = _DASHES


def response_chart(report: Report, percent: int) -> Chart | None:
    """The 95th percentile, or the median, of the ok answers against users."""
    measure: Measure = (lambda level: level.p95_ms) if percent == 95 else (lambda level: level.p50_ms)
    values = _values(report, measure)
    if not values:
        return None
    title = f"Response time against users, p{percent}"
    limits, far = _time_limits(report, percent, 2 * max(values))
    canvas = _canvas(report, title, "ok answers alone, measured from when they were due", limits)
    (axes,) = canvas.axes
    value_axis(axes, "y", [*values, *(limit.at for limit in limits)])
    _draw(axes, report, measure, limits)
    label_above(axes, f"p{percent} response time, ms")
    described = f"p{percent} in milliseconds, a line per candidate up to its threshold: {_thresholds(report)}."
    above = "".join(f" Far above: {limit.label}." for limit in far)
    reading = f"Lower is better. Answers count, rejections do not.{above}"
    return Chart(
        "response-time" if percent == 95 else "response-time-median",
        title,
        reading,
        described,
        canvas.figure,
        canvas.heading_in,
    )


def _time_limits(report: Report, percent: int, highest_ms: float) -> tuple[list[_Limit], list[_Limit]]:
    """Those to draw, and those that would only squeeze the points."""
    limits = []
    if report.slo and report.slo.percent == percent:
        limits.append(_Limit(report.slo.limit_ms, f"objective {report.slo}"))
    if report.queue_deadline_s is not None:
        milliseconds = 1000 * report.queue_deadline_s
        limits.append(_Limit(milliseconds, f"queue deadline {milliseconds:g} ms", _DEADLINE_DASHES))
    return [one for one in limits if one.at <= highest_ms], [one for one in limits if one.at > highest_ms]


def unserved_chart(report: Report) -> Chart | None:
    """Unserved share against users with the share that counts as throttling."""
    values = _values(report, _unserved)
    if not values:
        return None
    title, share = "Unserved requests against users", 100 * report.reject_threshold
    limit = _Limit(share, f"{share:g} %: throttles")
    canvas = _canvas(report, title, "rejected, failed or timed out, of all requests that were due", [limit])
    (axes,) = canvas.axes
    top = max(share, *values)
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    axes.yaxis.set_major_locator(FixedLocator([percent for percent in _PERCENTS if percent <= max(2.0, top * 2)]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(-0.12, min(110, max(2.5, top * 1.3)))
    _draw(axes, report, _unserved, [limit])
    label_above(axes, "unserved, % of requests (stretched below 10 %)")
    described = f"Unserved requests in percent by candidate; limit {share:g} %; thresholds: {_thresholds(report)}."
    reading = "A candidate throttles where its unserved share crosses the dotted line."
    return Chart("unserved-share", title, reading, described, canvas.figure, canvas.heading_in)


def _unserved(level: LevelResult) -> float | None:
    return 100 * level.unserved_share


def throughput_chart(report: Report) -> Chart | None:
    """Ok answers per second against users."""
    values = _values(report, lambda level: level.ok_per_s)
    if not values:
        return None
    title = "Throughput against users"
    canvas = _canvas(report, title, "ok answers per second; rejected requests are none", [])
    (axes,) = canvas.axes
    axes.set_ylim(0, 1.1 * max(values))
    _draw(axes, report, lambda level: level.ok_per_s, [])
    label_above(axes, "ok answers per second")
    described = f"Ok answers per second, a line per candidate; thresholds: {_thresholds(report)}."
    reading = "Where a line bends, the endpoint is saturated: more users only wait longer or are rejected."
    return Chart("throughput", title, reading, described, canvas.figure, canvas.heading_in)


def latency_throughput_chart(report: Report) -> Chart | None:
    """p95 against ok answers per second, a point for each number of users."""
    measured = {one.name: points_of(one, lambda level: level.p95_ms) for one in report.candidates}
    points = [point for found in measured.values() for point in found]
    if not points:
        return None
    title = "Response time against throughput"
    canvas = new_canvas(
        title, "a point for each number of users; small ones lie beyond the threshold", [_HEIGHT_IN], handles_of(report)
    )
    (axes,) = canvas.axes
    axes.set_xlim(0, 1.08 * max(point.level.ok_per_s for point in points))
    value_axis(axes, "y", [point.spread.value for point in points])
    for place, candidate in enumerate(report.candidates):
        line, _ = lines_of(measured[candidate.name], threshold_over(candidate.runs))
        held = [point for point in line if point.is_held]
        axes.plot([one.level.ok_per_s for one in held], [one.spread.value for one in held], color=colour_of(place))
        found = measured[candidate.name]
        draw_points(axes, place, found, [point.level.ok_per_s for point in found])
    axes.set_xlabel("ok answers per second")
    label_above(axes, "p95 response time, ms")
    reading = "Further to the right at the same height is more work in the same time."
    described = f"p95 in milliseconds against ok answers per second, by candidate: {_thresholds(report)}."
    return Chart("latency-throughput", title, reading, described, canvas.figure, canvas.heading_in)


def _values(report: Report, measure: Measure) -> list[float]:
    return [value for one in report.candidates for level in one.levels if (value := measure(level)) is not None]


def _thresholds(report: Report) -> str:
    return "; ".join(f"{one.name} {threshold_over(one.runs).text} users" for one in report.candidates)


def _canvas(report: Report, title: str, subtitle: str, limits: Sequence[_Limit]) -> Canvas:
    handles = [*handles_of(report), *(limit_handle(limit.label, limit.dashes) for limit in limits)]
    canvas = new_canvas(title, subtitle, [_HEIGHT_IN], [*handles, *signs_of(report)])
    users_axis(canvas.axes[0], report, users_of(report))
    return canvas


def signs_of(report: Report) -> list[Handle]:
    """What the signs mean that this report's points have."""
    signs: list[Handle] = []
    if any(not level.is_sound for one in report.candidates for level in one.levels):
        signs.append(
            Line2D([], [], color=MUTED, marker="o", linestyle="", markerfacecolor=PAPER, label="doubted, not used")
        )
    if any(is_bracket(threshold_over(one.runs)) for one in report.candidates):
        signs.append(Patch(facecolor="none", edgecolor=MUTED, hatch="////", label="throttles in here"))
    if beyond_all(report) is not None:
        signs.append(Patch(facecolor=SHADE, edgecolor=MUTED, linewidth=0.6, label="all throttle"))
    return signs


def _draw(axes: Axes, report: Report, measure: Measure, limits: Sequence[_Limit]) -> None:
    """Lines up to the thresholds, a hatched box where one is only bounded, and small points beyond."""
    for limit in limits:
        limit_line(axes, limit.at, dashes=limit.dashes)
    shade_beyond(axes, report)
    for place, candidate in enumerate(report.candidates):
        points = points_of(candidate, measure)
        line, bracket = lines_of(points, threshold_over(candidate.runs))
        axes.plot([one.at for one in line], [one.spread.value for one in line], color=colour_of(place), linewidth=1.8)
        if bracket:
            _hatch(axes, place, *bracket)
        draw_points(axes, place, points, [point.at for point in points])


def shade_beyond(axes: Axes, report: Report) -> None:
    """Grey where no candidate serves all requests."""
    start, (_, end) = beyond_all(report), axes.get_xlim()
    if start is not None and start < end:
        axes.axvspan(start, end, color=SHADE, linewidth=0, zorder=0)


def _hatch(axes: Axes, place: int, low: Point, high: Point) -> None:
    width, height = high.at - low.at, high.spread.value - low.spread.value
    style = {"facecolor": "none", "edgecolor": colour_of(place), "linewidth": 0.6, "hatch": "////"}
    axes.add_patch(Rectangle((low.at, low.spread.value), width, height, zorder=1.8, **style))  # type: ignore[arg-type]


def draw_points(axes: Axes, place: int, points: Sequence[Point], xs: Sequence[float]) -> None:
    """Hollow where they are doubted, small beyond the threshold; a bar spans the runs."""
    colour, placed = colour_of(place), list(zip(points, xs, strict=True))
    bars = [(x, one.spread) for one, x in placed if one.spread.low < one.spread.high]
    if bars:
        axes.vlines(
            [x for x, _ in bars], [one.low for _, one in bars], [one.high for _, one in bars], colour, linewidth=1.2
        )
    # All of a kind at once: a page holds thousands of points.
    for is_sound, is_held in product((True, False), repeat=2):
        kind = [(x, one.spread.value) for one, x in placed if (one.is_sound, one.is_held) == (is_sound, is_held)]
        if kind:
            face, size = (colour if is_sound else PAPER), (5.5 if is_held else 4)
            marker = {"marker": marker_of(place), "markerfacecolor": face, "markersize": size}
            axes.plot(*zip(*kind, strict=True), color=colour, linestyle="", **marker)  # type: ignore[arg-type]
