"""Charts of a report by name, and what is drawn in them."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from loadtest.report.chart_parts import Chart
from loadtest.report.chart_style import PAPER, chart_style
from loadtest.report.charts import draw_charts
from loadtest.results.comparison import Report


def charts_of(report: Report) -> dict[str, Chart]:
    with chart_style():
        return {chart.name: chart for chart in draw_charts(report)}


def lines_of(figure: Figure, panel: int = 0) -> list[tuple[list[float], list[float], str]]:
    """Of each line the two coordinates, and its style."""
    lines = figure.axes[panel].get_lines()
    return [(_numbers(one.get_xdata()), _numbers(one.get_ydata()), str(one.get_linestyle())) for one in lines]


def hollow_of(figure: Figure, panel: int = 0) -> list[tuple[list[float], list[float]]]:
    """Of each kind of mark without a filling the two coordinates."""
    lines = [one for one in figure.axes[panel].get_lines() if one.get_markerfacecolor() == PAPER]
    return [(_numbers(one.get_xdata()), _numbers(one.get_ydata())) for one in lines]


def bars_of(figure: Figure, panel: int = 0) -> list[list[list[float]]]:
    """Of each vertical bar both ends."""
    collections = [one for one in figure.axes[panel].collections if isinstance(one, LineCollection)]
    return [np.asarray(segment).tolist() for one in collections for segment in one.get_segments()]


def _numbers(data: object) -> list[float]:
    return [float(one) for one in np.asarray(data)]


def texts_of(figure: Figure, panel: int = 0) -> set[str]:
    return {text.get_text() for text in figure.axes[panel].texts}
