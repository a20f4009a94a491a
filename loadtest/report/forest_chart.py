"""The thresholds of all candidates with their intervals: a forest plot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from loadtest.report.chart_parts import Chart, Handle, value_axis
from loadtest.report.chart_style import INK, MUTED, PAPER, colour_of, marker_of
from loadtest.report.level_tables import canary_name
from loadtest.report.row_parts import row_canvas, write_row
from loadtest.report.table import Table
from loadtest.report.wording import MISSING, is_bracket, number, threshold_text
from loadtest.results.comparison import Report, Run
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import rate_threshold_over, threshold_over


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    place: int
    threshold: Threshold
    singles: tuple[float, ...]
    """Of each run."""
    is_canary: bool = False


def forest_chart(report: Report) -> Chart | None:
    """The throttling threshold of each candidate in users, with its interval, its runs, and the canary."""
    return _forest(
        report,
        "thresholds",
        "Throttling thresholds",
        "users",
        threshold_over,
        lambda run: run.threshold,
        f"users from which more than {100 * report.reject_threshold:g} % of requests go unserved",
    )


def rate_forest_chart(report: Report) -> Chart | None:
    """The highest rate within the objective, where there is one."""
    if report.slo is None:
        return None
    return _forest(
        report,
        "rates",
        f"Highest rate within {report.slo}",
        "requests per second",
        rate_threshold_over,
        lambda run: run.rate_threshold,
        "independent arrivals; later than the objective, or unserved, is too late",
    )


def _forest(
    report: Report,
    name: str,
    title: str,
    unit: str,
    over: Callable[[Sequence[Run]], Threshold],
    of_run: Callable[[Run], Threshold | None],
    subtitle: str,
) -> Chart | None:
    rows = _rows(report, over, of_run)
    values = [end for row in rows for end in (*row.singles, *_ends(row.threshold)) if end is not None]
    if not values:
        return None
    canvas = row_canvas(title, subtitle, len(rows), _forest_signs(rows))
    (axes,) = canvas.axes
    _spanning(axes, values)
    base = rows[0].threshold.at
    if base is not None and not is_bracket(rows[0].threshold):
        axes.axvline(base, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=0.5)
    for height, row in enumerate(rows):
        write_row(axes, height, row.name, threshold_text(row.threshold))
        _draw_interval(axes, height, row)
    axes.set_xlabel(unit)
    table = Table(
        ("candidate", f"{unit} (95%)", "each run"),
        tuple(
            (row.name, threshold_text(row.threshold), ", ".join(map(number, row.singles)) or MISSING) for row in rows
        ),
    )
    described = "; ".join(f"{row.name}: {threshold_text(row.threshold)} {unit}" for row in rows)
    reading = "Bars are intervals of 95 %. Some that overlap still differ: ratios are of pairs, block by block."
    return Chart(name, title, reading, described, canvas.figure, canvas.heading_in, table)


def _rows(
    report: Report, over: Callable[[Sequence[Run]], Threshold], of_run: Callable[[Run], Threshold | None]
) -> list[_Row]:
    named = [(one.name, place, one.runs, False) for place, one in enumerate(report.candidates)]
    if report.canary:
        named.insert(1, (canary_name(report.candidates[0]), 0, report.canary, True))
    rows = []
    for name, place, runs, is_canary in named:
        found = [of_run(run) for run in runs]
        singles = tuple(one.at for one in found if one is not None and one.at is not None)
        rows.append(_Row(name, place, over(runs), singles if len(runs) > 1 else (), is_canary))
    return rows


def _ends(threshold: Threshold) -> tuple[float | None, ...]:
    if threshold.at is None or is_bracket(threshold):
        return threshold.bracket
    return threshold.at, *threshold.interval


def _forest_signs(rows: Sequence[_Row]) -> list[Handle]:
    signs: list[Handle] = []
    if any(row.singles for row in rows):
        signs.append(Line2D([], [], color=INK, marker="|", linestyle="", markersize=7, label="a block"))
    if any(is_bracket(row.threshold) for row in rows):
        signs.append(Patch(facecolor="none", edgecolor=MUTED, hatch="////", label="somewhere in here"))
    return signs


def _spanning(axes: Axes, values: Sequence[float]) -> None:
    """From a little below the least to a little above the greatest: what is compared are places, not lengths."""
    low, high = min(values), max(values)
    if low > 0 and high > 20 * low:
        value_axis(axes, "x", values)
        return
    margin = 0.08 * (high - low) or 0.1 * high or 1.0
    axes.set_xlim(max(0, low - margin), high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _draw_interval(axes: Axes, height: int, row: _Row) -> None:
    colour, y, threshold = colour_of(row.place), height + 0.05, row.threshold
    start, end = axes.get_xlim()
    if is_bracket(threshold):
        left, right = threshold.bracket[0] or start, threshold.bracket[1] or end
        axes.barh(y, right - left, 0.28, left, facecolor="none", edgecolor=colour, hatch="////", linewidth=0.8)
    elif threshold.at is None:
        _draw_bound(axes, y, row)
    else:
        low, high = threshold.interval
        if low is not None or high is not None:
            axes.plot([low or start, high or end], [y, y], color=colour, linewidth=2.4, solid_capstyle="butt")
        face = PAPER if row.is_canary else colour
        axes.plot([threshold.at], [y], marker_of(row.place), color=colour, markerfacecolor=face, markersize=7)
    axes.plot(row.singles, [y + 0.22] * len(row.singles), "|", color=INK, markersize=5, markeredgewidth=1.1)


def _draw_bound(axes: Axes, y: float, row: _Row) -> None:
    """An arrow from the bound into where the threshold is."""
    low, high = row.threshold.bracket
    start, end = axes.get_xlim()
    for at, far, sign in ((low, end, ">"), (high, start, "<")):
        if at is not None:
            axes.plot([at], [y], sign, color=colour_of(row.place), markersize=7, clip_on=False)
            axes.plot([at, far], [y, y], color=colour_of(row.place), linewidth=1.4, linestyle=(0, (2, 2)))
