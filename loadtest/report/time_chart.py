"""The levels of each run over its time."""

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from loadtest.report.chart_parts import Chart, new_canvas, shortened
from loadtest.report.chart_style import INK, MUTED, colour_of
from loadtest.report.wording import is_bracket
from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import threshold_over

_HEIGHT_IN = 0.5


def staircase_chart(report: Report) -> Chart | None:
    """A panel per candidate, users over the minutes of a run; None where no level says when it was."""
    shown = [(place, one) for place, one in enumerate(report.candidates) if any(level.windows for level in one.levels)]
    if not shown:
        return None
    title = "Users over time"
    subtitle = "each line is the measured part of a visit to a level; all blocks of a candidate in one panel"
    canvas = new_canvas(title, subtitle, [_HEIGHT_IN] * len(shown))
    levels = [level for _, one in shown for level in one.levels if level.windows]
    end_s = max(window.t_end_s for level in levels for window in level.windows)
    for axes, (place, candidate) in zip(canvas.axes, shown, strict=True):
        _draw(axes, place, candidate)
        axes.set_xlim(0, end_s / 60)
        axes.set_ylim(0, 1.15 * max(level.at for level in levels))
        axes.tick_params(labelbottom=axes is canvas.axes[-1])
    canvas.axes[-1].set_xlabel("minutes since the run began")
    described = f"Visits to levels of {', '.join(one.name for _, one in shown)} over the minutes of their runs."
    reading = "Thin dashes are visits that are doubted; the dotted line is the threshold that was found."
    return Chart("staircase", title, reading, described, canvas.figure, canvas.heading_in)


def _draw(axes: Axes, place: int, candidate: CandidateReport) -> None:
    for level in candidate.levels:
        dashes: dict[str, object] = {} if level.is_sound else {"linestyle": (0, (2, 1.5)), "linewidth": 1.2}
        style = {"color": colour_of(place), "linewidth": 2.6, "solid_capstyle": "butt", **dashes}
        for window in level.windows:
            axes.plot([window.t_start_s / 60, window.t_end_s / 60], [level.at] * 2, **style)  # type: ignore[arg-type]
    threshold = threshold_over(candidate.runs)
    if (at := _known(threshold)) is not None:
        axes.axhline(at, color=INK, linewidth=0.9, linestyle=(0, (1, 2)))
    axes.set_title(f"{shortened(candidate.name, 40)}, users", loc="left", size=9.5, color=MUTED, pad=4)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(2, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _known(threshold: Threshold) -> float | None:
    return None if is_bracket(threshold) else threshold.at
