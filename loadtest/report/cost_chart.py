"""What a million answers cost on each candidate."""

from loadtest.report.chart_parts import Chart
from loadtest.report.chart_style import INK, colour_of
from loadtest.report.row_parts import row_canvas, write_row
from loadtest.report.table import Table
from loadtest.report.wording import cost_text, number
from loadtest.results.comparison import Report
from loadtest.statistics.cost import cost_of


def cost_chart(report: Report) -> Chart | None:
    """What a million answers cost, where there is a price."""
    costs = [(place, one.name, cost_of(report, one)) for place, one in enumerate(report.candidates)]
    priced = [(place, name, cost) for place, name, cost in costs if cost and cost.per_million is not None]
    if not priced:
        return None
    title = "Cost of a million answers"
    where = f"within {report.slo}" if any(one.basis == "objective" for _, _, one in priced) else "at the threshold"
    subtitle = f"{where}, on a machine at {report.price_per_hour:g} per hour that does nothing else"
    canvas = row_canvas(title, subtitle, len(priced), ())
    (axes,) = canvas.axes
    ends = [end for _, _, cost in priced for end in (cost.per_million, cost.per_million_interval[1]) if end is not None]
    axes.set_xlim(0, 1.08 * max(ends))
    for height, (place, name, cost) in enumerate(priced):
        write_row(axes, height, name, cost_text(cost))
        axes.barh(height + 0.05, cost.per_million or 0, 0.28, facecolor=colour_of(place))
        low, high = cost.per_million_interval
        if low is not None and high is not None:
            axes.plot([low, high], [height + 0.05] * 2, color=INK, linewidth=1.3, marker="|", markersize=6)
    axes.set_xlabel("in the currency of the price")
    described = "; ".join(f"{name}: {cost_text(cost)}" for _, name, cost in priced)
    table = Table(
        ("candidate", "cost of a million (95%)", "answers/s", "processor time per 1000, s"),
        tuple(
            (name, cost_text(cost), number(cost.goodput_per_s), number(cost.cpu_s_per_1000)) for _, name, cost in priced
        ),
    )
    reading = "Lower is better. It is the price of an hour by the answers of an hour, at full load."
    return Chart("cost", title, reading, described, canvas.figure, canvas.heading_in, table)
