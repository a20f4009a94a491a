"""Writes a report: one page, charts and tables, all made from `report.json`."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loadtest.report.chart_parts import Chart
from loadtest.report.chart_style import chart_style, to_inline, to_png, to_svg
from loadtest.report.charts import draw_charts
from loadtest.report.summary import (
    caveats,
    report_common_level,
    report_metric,
    summary_rows,
    summary_table,
    variants_table,
    verdict,
)
from loadtest.report.tables import Table, chart_table, write_levels_csv, write_summary_csv
from loadtest.results.comparison import REPORT_FILE, CandidateReport, Quality, Report, save_report
from loadtest.results.reading import read_report

_READING = {
    "response-time": "Lower is better. Only answers count, not rejections; a mark on the upper edge is a throttling "
    "threshold, and a hollow point was measured by a generator too busy to be trusted.",
    "unserved-share": "The scale is stretched below 10 % so that the crossing can be seen.",
    "throughput": "Where a line bends, the endpoint is saturated: more users only wait longer or are rejected.",
    "quality": "A candidate on the line is the best of those that are as fast; grey ones are beaten in both.",
}


__all__ = ["CandidateReport", "Quality", "Report", "read_report", "render", "summary_rows", "verdict", "write_report"]


@dataclass(frozen=True, slots=True)
class _Section:
    name: str
    title: str
    reading: str
    svg: Markup
    table: Table


def write_report(report: Report, out_dir: Path) -> Path:
    """Write `report.json` and everything made from it to `out_dir`; returns the path of `report.html`."""
    out_dir.mkdir(parents=True, exist_ok=True)
    save_report(report, out_dir / REPORT_FILE)
    return render(out_dir)


def render(out_dir: Path) -> Path:
    """Make the report of `out_dir` again from its `report.json`; returns the path of `report.html`.

    Writes `report.html` (one file, no network), `charts/*.svg` and `charts/*.png`, `levels.csv` and `summary.csv`.
    Raises LoadTestError when `report.json` cannot be read.
    """
    report = read_report(out_dir / REPORT_FILE)
    charts_dir = out_dir / "charts"
    charts_dir.mkdir(exist_ok=True)
    with chart_style():
        sections = [_write_chart(report, chart, charts_dir) for chart in draw_charts(report)]
    write_levels_csv(report, out_dir / "levels.csv")
    write_summary_csv(report, out_dir / "summary.csv")
    page = out_dir / "report.html"
    page.write_text(_page(report, sections), encoding="utf-8")
    return page


def _write_chart(report: Report, chart: Chart, charts_dir: Path) -> _Section:
    svg = to_svg(chart.figure, chart.name, chart.title, chart.description)
    (charts_dir / f"{chart.name}.svg").write_text(svg, encoding="utf-8")
    (charts_dir / f"{chart.name}.png").write_bytes(to_png(chart.figure))
    # matplotlib has escaped every text in the figure, and to_svg title and description.
    inline = Markup(to_inline(svg, chart.name))  # noqa: S704
    return _Section(chart.name, chart.title, _READING[chart.name], inline, chart_table(report, chart.name))


def _page(report: Report, sections: list[_Section]) -> str:
    environment = Environment(
        loader=PackageLoader("loadtest.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    header, rows = summary_table(report)
    return environment.get_template("report.html.j2").render(
        report=report,
        verdict=verdict(report),
        summary=Table(header, rows),
        summary_rows=summary_rows(report),
        variants=Table(*variants_table(report)),
        common_level=report_common_level(report),
        metric=report_metric(report) or "quality",
        sections=sections,
        caveats=caveats(report),
    )
