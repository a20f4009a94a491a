"""What `compare`, `load`, `report`, `build` and `list` print: a report, and the variants of a store."""

from pathlib import Path

from rich.table import Table

from loadtest.comparison import Quality, Report
from loadtest.summary import summary_table, verdict
from loadtest.wording import MISSING, quality_text
from model_store.manifest import Artifact, read_manifest
from paretoserve.terminal.rich_tables import new_table


def report_table(report: Report) -> tuple[Table, str]:
    """The summary of a report, a row per candidate, and its verdict in words."""
    header, rows = summary_table(report)
    table = new_table(*header)
    for row in rows:
        table.add_row(*row)
    return table, verdict(report)


def variants_table(folders: list[Path]) -> Table:
    """Each artifact of each variant."""
    manifests = [read_manifest(folder) for folder in folders]
    qualities = [one.quality for manifest in manifests for one in manifest.artifacts.values() if one.quality]
    metrics = " / ".join(sorted({quality.metric for quality in qualities})) or "quality"
    table = new_table("variant", "backend", "precision", "MB", metrics, "measured on")
    for manifest in manifests:
        for backend, artifact in manifest.artifacts.items():
            name = f"{manifest.model}/{manifest.variant}"
            size = f"{artifact.bytes / 1e6:.1f}"
            table.add_row(name, backend, artifact.precision, size, *_quality(artifact))
    return table


def _quality(artifact: Artifact) -> tuple[str, str]:
    quality = artifact.quality
    if quality is None:
        return MISSING, MISSING
    value = quality_text(Quality(quality.value, quality.metric), decimals=2)
    return value, f"{quality.correct} of {quality.n}, {quality.dataset}/{quality.split}"
