"""How busy, and how late, the load generator was."""

from matplotlib.axes import Axes

from loadtest.report.chart_parts import (
    Chart,
    handles_of,
    label_above,
    limit_handle,
    limit_line,
    new_canvas,
    users_axis,
    value_axis,
)
from loadtest.report.points import Measure, points_of, users_of
from loadtest.report.users_charts import draw_points, signs_of
from loadtest.results.comparison import Report
from loadtest.results.levels import LevelResult
from loadtest.statistics.gates import LEAST_LAG_MS, MOST_GENERATOR_CPU

_HEIGHT_IN = 1.3


def health_chart(report: Report) -> Chart | None:
    """Its share of a core, and how late it sent, against users; lateness is left out where it was not measured."""
    levels = [level for candidate in report.candidates for level in candidate.levels]
    if not levels:
        return None
    has_lags = any(_lag_ms(level) for level in levels)
    title = "The load generator"
    handles = [
        *handles_of(report),
        limit_handle("gate"),
        *(one for one in signs_of(report) if "used" in str(one.get_label())),
    ]
    canvas = new_canvas(title, "a level beyond a gate is doubted", [_HEIGHT_IN] * (1 + has_lags), handles)
    cpu = canvas.axes[0]
    _draw(cpu, report, lambda level: 100 * level.generator_cpu_share)
    cpu.set_ylim(0, max(100.0, *(105 * level.generator_cpu_share for level in levels)))
    limit_line(cpu, 100 * MOST_GENERATOR_CPU)
    label_above(cpu, "processor time, % of one core")
    users_axis(cpu, report, users_of(report))
    if has_lags:
        lag = canvas.axes[1]
        cpu.set_xlabel("")
        cpu.tick_params(labelbottom=False)
        _draw(lag, report, _lag_ms)
        users_axis(lag, report, users_of(report))
        value_axis(lag, "y", [LEAST_LAG_MS, *filter(None, map(_lag_ms, levels))])
        limit_line(lag, LEAST_LAG_MS)
        label_above(lag, "late by, ms (99th percentile)")
    busiest = max(level.generator_cpu_share for level in levels)
    described = f"At most {busiest:.0%} of a core."
    reading = (
        f"A generator over {MOST_GENERATOR_CPU:.0%} of its core, or late by more than {LEAST_LAG_MS:g} ms and 5 % of "
    )
    reading += "the p95, measures itself."
    return Chart("generator", title, reading, described, canvas.figure, canvas.heading_in)


def _lag_ms(level: LevelResult) -> float:
    return max(level.send_lag_p99_ms, level.loop_lag_p99_ms)


def _draw(axes: Axes, report: Report, measure: Measure) -> None:
    for place, candidate in enumerate(report.candidates):
        points = points_of(candidate, measure)
        draw_points(axes, place, points, [point.at for point in points])
