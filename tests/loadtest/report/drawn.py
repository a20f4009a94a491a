"""Charts of a report by name, and what is drawn in them."""

from matplotlib.figure import Figure

from loadtest.report.chart_parts import Chart
from loadtest.report.chart_style import chart_style
from loadtest.report.charts import draw_charts
from loadtest.results.comparison import Report


def charts_of(report: Report) -> dict[str, Chart]:
    with chart_style():
        return {chart.name: chart for chart in draw_charts(report)}


def lines_of(figure: Figure, panel: int = 0) -> list[tuple[list[float], list[float], str]]:
    """Of each line the two coordinates, and its style."""
    lines = figure.axes[panel].get_lines()
    return [([*map(float, one.get_xdata())], [*map(float, one.get_ydata())], str(one.get_linestyle())) for one in lines]


def texts_of(figure: Figure, panel: int = 0) -> set[str]:
    return {text.get_text() for text in figure.axes[panel].texts}
