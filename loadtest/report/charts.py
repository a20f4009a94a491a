"""The charts of a report. Pure functions from a report to figures; each is left out where the data lack it."""

from collections.abc import Callable
from functools import partial

from loadtest.report.chart_parts import Chart
from loadtest.report.cost_chart import cost_chart
from loadtest.report.forest_chart import forest_chart, rate_forest_chart
from loadtest.report.health_chart import health_chart
from loadtest.report.pareto_chart import pareto_chart
from loadtest.report.phases_chart import phases_chart
from loadtest.report.time_chart import staircase_chart
from loadtest.report.users_charts import (
    latency_throughput_chart,
    response_chart,
    throughput_chart,
    unserved_chart,
)
from loadtest.results.comparison import Report

# In the order of the page: what decides, then what explains it, then what vouches for it.
_CHARTS: tuple[Callable[[Report], Chart | None], ...] = (
    forest_chart,
    pareto_chart,
    partial(response_chart, percent=95),
    unserved_chart,
    rate_forest_chart,
    cost_chart,
    throughput_chart,
    latency_throughput_chart,
    partial(response_chart, percent=50),
    phases_chart,
    staircase_chart,
    health_chart,
)


def draw_charts(report: Report) -> tuple[Chart, ...]:
    """All charts that the numbers allow. Must run under `chart_style`."""
    return tuple(chart for draw in _CHARTS if (chart := draw(report)) is not None)
