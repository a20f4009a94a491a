"""What several commands print at their end. Tables bring arrays along, which a server's front does without."""

from pathlib import Path
from typing import TYPE_CHECKING

from paretoserve.terminal.progress import console

if TYPE_CHECKING:
    from loadtest.results.comparison import Report


def print_report(report: "Report", folder: Path) -> None:
    from paretoserve.terminal.result_tables import report_tables

    tables, verdict = report_tables(report)
    console.print(*tables, sep="\n")
    console.print(verdict, markup=False)
    console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def print_variants(folders: list[Path]) -> None:
    from paretoserve.terminal.result_tables import further_table, sizes_table, variants_table

    tables = [variants_table(folders), further_table(folders), sizes_table(folders)]
    console.print(*filter(None, tables), sep="\n")
