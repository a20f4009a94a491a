"""Where the time of an answer goes on each candidate."""

from collections.abc import Sequence

from matplotlib.patches import Patch

from loadtest.report.chart_parts import Chart, Handle
from loadtest.report.chart_style import COLOURS, MUTED, PAPER
from loadtest.report.common import CommonLoad, common_load
from loadtest.report.row_parts import row_canvas, write_row
from loadtest.report.table import Table
from loadtest.report.wording import number
from loadtest.results.comparison import Report
from loadtest.results.phases import PHASES


def phases_chart(report: Report) -> Chart | None:
    """Where the mean time of an answer goes, stacked, at the load at which candidates are compared."""
    load = common_load(report)
    stated = {name: phases for name, phases in _phases(report, load).items() if phases}
    if not stated:
        return None
    title = "Where the time goes"
    names = [name for name in PHASES if any(name in phases for phases in stated.values())]
    canvas = row_canvas(
        title, f"mean of the ok answers {load.where}, as the server states it", len(stated), _keys(names)
    )
    (axes,) = canvas.axes
    totals = {name: sum(phases.values()) for name, phases in stated.items()}
    axes.set_xlim(0, 1.05 * max(totals.values()))
    for height, (candidate, phases) in enumerate(stated.items()):
        left_ms = 0.0
        write_row(axes, height, candidate, f"{number(totals[candidate])} ms")
        for name in names:
            width_ms = max(0.0, phases.get(name, 0.0))
            axes.barh(height + 0.05, width_ms, 0.3, left_ms, edgecolor=PAPER, linewidth=0.6, **_fill(name))  # type: ignore[arg-type]
            left_ms += width_ms
    axes.set_xlabel("milliseconds")
    rows = tuple(
        (one, *(number(phases.get(name)) for name in names), number(totals[one])) for one, phases in stated.items()
    )
    described = "; ".join(f"{name}: {number(total)} ms" for name, total in totals.items())
    reading = "What no phase accounts for is unattributed; transport is between the load generator and the server."
    table = Table(("candidate", *(f"{name}, ms" for name in names), "sum, ms"), rows)
    return Chart("phases", title, reading, described, canvas.figure, canvas.heading_in, table)


def _phases(report: Report, load: CommonLoad) -> dict[str, dict[str, float]]:
    found = {}
    for name, levels in load.levels.items():
        stated = [level.phases_ms for level in levels if level.phases_ms]
        shared = [phase for phase in PHASES if stated and all(phase in one for one in stated)]
        found[name] = {phase: sum(one[phase] for one in stated) / len(stated) for phase in shared}
    return found


def _keys(names: Sequence[str]) -> list[Handle]:
    return [Patch(label=name, edgecolor=PAPER, **_fill(name)) for name in names]  # type: ignore[arg-type]


def _fill(phase: str) -> dict[str, object]:
    """What is unattributed is hatched, as it is no phase."""
    if phase == "unattributed":
        return {"facecolor": MUTED, "hatch": "////"}
    return {"facecolor": COLOURS[PHASES.index(phase) % len(COLOURS)]}
