"""`paretoserve report`."""

from pathlib import Path
from typing import Annotated

import typer

from paretoserve.terminal.printing import print_report


def report(folder: Annotated[Path, typer.Argument(help="Folder with a report.json.")]) -> None:
    """Draw the charts and the page of a finished comparison again from its report.json."""
    from loadtest.report.page import render
    from loadtest.results.comparison import REPORT_FILE
    from loadtest.results.reading import read_report

    render(folder)
    print_report(read_report(folder / REPORT_FILE), folder)
