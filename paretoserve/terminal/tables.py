"""What commands print: tables for a terminal."""

from pathlib import Path

from rich.table import Table

from loadtest.comparison import Report
from loadtest.summary import MISSING, summary_table, verdict
from model_store.manifest import Artifact, read_manifest


def empty_table(*headers: str) -> Table:
    """A table without rows; its first column is a name."""
    table = Table(header_style="bold")
    for i, header in enumerate(headers):
        table.add_column(header, justify="left" if i == 0 else "right", no_wrap=i == 0)
    return table


def report_table(report: Report) -> tuple[Table, str]:
    """The summary of a report, a row per candidate, and its verdict in words."""
    header, rows = summary_table(report)
    table = empty_table(*header)
    for row in rows:
        table.add_row(*row)
    return table, verdict(report)


def variants_table(folders: list[Path]) -> Table:
    """Each artifact of each variant."""
    table = empty_table("variant", "backend", "precision", "MB", "accuracy", "measured on")
    for folder in folders:
        manifest = read_manifest(folder)
        for backend, artifact in manifest.artifacts.items():
            name = f"{manifest.model}/{manifest.variant}"
            size = f"{artifact.bytes / 1e6:.1f}"
            table.add_row(name, backend, artifact.precision, size, *_quality(artifact))
    return table


def _quality(artifact: Artifact) -> tuple[str, str]:
    quality = artifact.quality
    if quality is None:
        return MISSING, MISSING
    return f"{quality.value:.2%}", f"{quality.correct} of {quality.n}, {quality.dataset}/{quality.split}"
