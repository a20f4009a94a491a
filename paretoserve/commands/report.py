"""`paretoserve report`."""

from pathlib import Path
from typing import Annotated

import typer

from paretoserve.terminal.printing import print_report
from paretoserve.terminal.progress import console

Folders = Annotated[list[Path], typer.Argument(help="Folder with a report.json; several are put side by side.")]
Out = Annotated[Path, typer.Option(help="The page of several reports.")]


def report(folders: Folders, out: Out = Path("reports.html")) -> None:
    """Draw the charts and the page of a finished comparison again, or put several on one page."""
    from loadtest.report.page import render
    from loadtest.report.several import render_several
    from loadtest.results.comparison import REPORT_FILE
    from loadtest.results.reading import read_report

    if len(folders) > 1:
        console.print(f"Reports: {render_several(folders, out)}", markup=False, soft_wrap=True)
        return
    (folder,) = folders
    render(folder)
    print_report(read_report(folder / REPORT_FILE), folder)
