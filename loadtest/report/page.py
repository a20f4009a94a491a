"""Writes a report: one page, charts and tables, all made from `report.json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from loadtest.report.chart_parts import POINTS, Chart
from loadtest.report.chart_style import COLOURS, DARK_COLOURS, chart_style, to_png, to_svg
from loadtest.report.charts import draw_charts
from loadtest.report.common import common_load
from loadtest.report.csv_files import write_csv_files
from loadtest.report.inline_svg import to_inline
from loadtest.report.level_tables import doubts_table, level_table, runs_table
from loadtest.report.summary import conditions_of, summary, variants_table
from loadtest.report.table import Table
from loadtest.report.verdict_words import words_of
from loadtest.results.comparison import REPORT_FILE, Report, save_report
from loadtest.results.reading import read_report
from loadtest.statistics.verdict import verdict_of

PAGE_FILE = "report.html"
_LEVELS = (
    *("users", "unserved_share", "ok_per_s", "p50_ms", "p95_ms", "p99_ms"),
    *("attempts", "rejected", "failed", "timeout", "generator_cpu_share", "little_error"),
)
# A page with more rows than these would be too large to send; the CSV file has all.
_MOST_LEVELS = 300


@dataclass(frozen=True, slots=True)
class Section:
    """A chart on a page."""

    name: str
    title: str
    reading: str
    svg: Markup
    table: Table | None


def write_report(report: Report, out_dir: Path) -> Path:
    """Write `report.json` and everything made from it to `out_dir`; returns the path of `report.html`."""
    out_dir.mkdir(parents=True, exist_ok=True)
    save_report(report, out_dir / REPORT_FILE)
    return render(out_dir)


def render(out_dir: Path) -> Path:
    """Make the report of `out_dir` again from its `report.json`; returns the path of `report.html`.

    Writes `report.html` (one file, no network), `charts/*.svg` and `charts/*.png`, `summary.csv`, `runs.csv` and
    `levels.csv`. Raises LoadTestError when `report.json` cannot be read.
    """
    report = read_report(out_dir / REPORT_FILE)
    charts_dir = out_dir / "charts"
    charts_dir.mkdir(exist_ok=True)
    with chart_style():
        sections = [_write_chart(chart, charts_dir) for chart in draw_charts(report)]
    write_csv_files(report, out_dir)
    page = out_dir / PAGE_FILE
    page.write_text(template("report.html.j2").render(**_contents(report, sections)), encoding="utf-8")
    return page


def _write_chart(chart: Chart, charts_dir: Path) -> Section:
    svg = to_svg(chart.figure, chart.name, chart.title, chart.description)
    (charts_dir / f"{chart.name}.svg").write_text(svg, encoding="utf-8")
    (charts_dir / f"{chart.name}.png").write_bytes(to_png(chart.figure))
    return _section(chart, svg)


def _section(chart: Chart, svg: str) -> Section:
    # matplotlib has escaped every text in the figure, and to_svg title and description.
    inline = Markup(to_inline(svg, chart.name, chart.heading_in * POINTS))  # noqa: S704
    return Section(chart.name, chart.title, chart.reading, inline, chart.table)


def template(name: str) -> Any:
    """A page of this package's folder `templates`."""
    environment = Environment(
        loader=PackageLoader("loadtest.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"colours": COLOURS, "dark_colours": DARK_COLOURS}
    return environment.get_template(name)


def _contents(report: Report, sections: Sequence[Section]) -> dict[str, Any]:
    found = verdict_of(report)
    levels = level_table(report, _LEVELS)
    return {
        "report": report,
        "verdict": words_of(report, found),
        "kind": found.kind,
        "recommended": found.recommended if len(report.candidates) > 1 and found.kind != "undecided" else None,
        "summary": summary(report, found),
        "load": common_load(report),
        "variants": Table(*variants_table(report)),
        "sections": sections,
        "runs": runs_table(report),
        "doubts": doubts_table(report),
        "levels": levels if len(levels.rows) <= _MOST_LEVELS else None,
        "conditions": conditions_of(report),
    }
