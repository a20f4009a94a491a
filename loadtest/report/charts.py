"""The charts of a report. Pure functions from a report to figures."""

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from loadtest.report.chart_parts import (
    Chart,
    Measure,
    draw_legend,
    draw_lines,
    levels_of,
    mark_thresholds,
    milliseconds_axis,
    new_figure,
    users_axis,
)
from loadtest.report.chart_style import INK
from loadtest.report.pareto_chart import pareto_chart
from loadtest.report.summary import pareto_points
from loadtest.report.wording import number
from loadtest.results.comparison import Report
from loadtest.statistics.repeats import threshold_over

_DASHED = "ok answers only; dashed beyond the throttling threshold, given beside each name in users"
_PERCENTS = (0, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_charts(report: Report) -> tuple[Chart, ...]:
    """All charts that the numbers allow: quality against p95 needs a common level and a measured quality."""
    charts = [response_chart(report), unserved_chart(report), throughput_chart(report)]
    return (*charts, pareto_chart(report)) if pareto_points(report) else tuple(charts)


def response_chart(report: Report) -> Chart:
    """Median and p95 of the ok answers against users, one panel each."""
    title = "Response time against users"
    figure, (left, right) = new_figure(title, _DASHED, 2, len(report.candidates))
    measures: list[Measure] = [lambda level: level.p50_ms, lambda level: level.p95_ms]
    for axes, name, measure in zip((left, right), ("p50", "p95"), measures, strict=True):
        draw_lines(axes, report, measure)
        users_axis(axes, report)
        mark_thresholds(axes, report)
        axes.annotate(name, (0.015, 0.94), xycoords="axes fraction", weight="bold", va="top")
    values = [value for level in levels_of(report) for measure in measures if (value := measure(level))]
    milliseconds_axis(left, "y", values)
    left.set_ylabel("response time, ms")
    draw_legend(figure, report)
    described = "; ".join(f"{c.name} throttles at {threshold_over(c.runs).text} users" for c in report.candidates)
    return Chart("response-time", title, f"p50 and p95 in milliseconds, a line per candidate: {described}.", figure)


def unserved_chart(report: Report) -> Chart:
    """Unserved share against users with the threshold line."""
    title = "Unserved requests against users"
    limit = 100 * report.reject_threshold
    subtitle = f"an endpoint throttles where its line crosses {limit:g} %; beside each name, at how many users"
    figure, (axes,) = new_figure(title, subtitle, legend=len(report.candidates))
    # On stretched scales a straight stroke would cross the limit elsewhere than the linear interpolation does.
    draw_lines(axes, report, lambda level: 100 * level.unserved_share, strokes=24)
    top = max([limit, *(100 * level.unserved_share for level in levels_of(report))])
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    axes.yaxis.set_major_locator(FixedLocator([percent for percent in _PERCENTS if percent <= top * 2]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(-0.08, max(2.0, top * 1.3))
    axes.axhline(limit, color=INK, linewidth=1.0, linestyle=(0, (1, 2)))
    users_axis(axes, report)
    mark_thresholds(axes, report)
    axes.set_ylabel("unserved, % of requests")
    draw_legend(figure, report)
    described = f"Requests that were rejected, failed or timed out, in percent, by candidate; limit {limit:g} %."
    return Chart("unserved-share", title, described, figure)


def throughput_chart(report: Report) -> Chart:
    """Ok answers per second against users."""
    title = "Throughput against users"
    figure, (axes,) = new_figure(title, _DASHED, legend=len(report.candidates))
    draw_lines(axes, report, lambda level: level.ok_per_s)
    axes.set_ylim(bottom=0)
    users_axis(axes, report)
    mark_thresholds(axes, report)
    axes.set_ylabel("ok answers per second")
    draw_legend(figure, report)
    best = max(report.candidates, key=lambda c: max(level.ok_per_s for level in c.levels))
    most = number(max(level.ok_per_s for level in best.levels))
    return Chart("throughput", title, f"A line per candidate; {best.name} reaches {most} answers per second.", figure)
