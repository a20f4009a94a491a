"""Several reports on one page: of different days, or of different machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from loadtest.report.chart_parts import POINTS, Chart
from loadtest.report.chart_style import chart_style, to_svg
from loadtest.report.common import common_load
from loadtest.report.forest_chart import forest_chart
from loadtest.report.inline_svg import to_inline
from loadtest.report.page import Section, template
from loadtest.report.pareto_chart import pareto_chart
from loadtest.report.summary import conditions_of, spread_text, summary
from loadtest.report.table import Table, without_empty_columns
from loadtest.report.verdict_words import VerdictWords, mark_of, words_of
from loadtest.report.wording import MISSING, interval_text, metrics_of, number, threshold_text
from loadtest.results.comparison import REPORT_FILE, Report
from loadtest.results.reading import read_report
from loadtest.statistics.repeats import threshold_over
from loadtest.statistics.verdict import verdict_of

# What makes a machine, as reports state it.
MACHINE = ("Processor", "Cores of the server", "Cores of the machine", "Memory")


@dataclass(frozen=True, slots=True)
class _Part:
    """One report on the page."""

    report: Report
    place: int
    machine: str
    verdict: VerdictWords
    summary: Table
    sections: tuple[Section, ...]
    conditions: dict[str, str]


def render_several(folders: Sequence[Path], page: Path) -> Path:
    """Write one page of the reports in these folders, in their order; returns its path.

    Ratios are within a report alone: what two machines, or two days, differ in is not measured. Raises LoadTestError
    when a `report.json` cannot be read.
    """
    reports = [read_report(folder / REPORT_FILE) for folder in folders]
    parts = [_part(report, place) for place, report in enumerate(reports, start=1)]
    contents = {
        "parts": parts,
        "together": together(reports),
        "is_one_machine": len(set(map(machine_of, reports))) == 1,
    }
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(template("several.html.j2").render(**contents), encoding="utf-8")
    return page


def machine_of(report: Report) -> str:
    """In a line; what is not stated is left out."""
    found = [report.conditions.get(name, "") for name in MACHINE[:1]]
    cores = report.conditions.get("Cores of the machine")
    return ", ".join(filter(None, [*found, f"{cores} cores" if cores else ""])) or "not stated"


def together(reports: Sequence[Report]) -> Table:
    """A row per candidate of each report, with figures of its own alone and no ratio."""
    header = (
        *("candidate", "report", "verdict there", "throttles at, users (95%)", "think time, s", "quality (95%)"),
        *("metric", "p95, ms", "measured", "size, MB"),
    )
    rows = tuple(row for place, report in enumerate(reports, start=1) for row in _rows(report, place))
    return without_empty_columns(Table(header, rows), MISSING)


def _rows(report: Report, place: int) -> list[tuple[str, ...]]:
    found, load, metric = verdict_of(report), common_load(report), metrics_of(report)
    return [
        (
            candidate.name,
            str(place),
            mark_of(report, candidate, found) if len(report.candidates) > 1 else MISSING,
            threshold_text(threshold_over(candidate.runs)),
            f"{report.think_time_s:g}",
            interval_text(candidate.quality),
            metric,
            spread_text(load.p95_ms(candidate.name)),
            load.where or MISSING,
            number(candidate.size_bytes / 1e6 if candidate.size_bytes is not None else None),
        )
        for candidate in report.candidates
    ]


def _part(report: Report, place: int) -> _Part:
    found = verdict_of(report)
    with chart_style():
        charts = [chart for draw in (forest_chart, pareto_chart) if (chart := draw(report)) is not None]
        sections = tuple(_section(chart, place) for chart in charts)
    words, table = words_of(report, found), summary(report, found)
    return _Part(report, place, machine_of(report), words, table, sections, conditions_of(report))


def _section(chart: Chart, place: int) -> Section:
    name = f"report-{place}-{chart.name}"
    svg = to_svg(chart.figure, name, chart.title, chart.description)
    inline = Markup(to_inline(svg, name, chart.heading_in * POINTS))  # noqa: S704 - matplotlib escapes all texts
    return Section(name, chart.title, chart.reading, inline, None)
