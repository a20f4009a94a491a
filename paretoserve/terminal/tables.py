"""What commands print: tables for a terminal."""

from pathlib import Path

from rich.table import Table

from loadtest.comparison import Report
from loadtest.summary import MISSING, summary_table, verdict
from model_store.manifest import Artifact, read_manifest
from paretoserve.environments.catalogue import EnvironmentState


def _table(*headers: str) -> Table:
    table = Table(header_style="bold")
    for i, header in enumerate(headers):
        table.add_column(header, justify="left" if i == 0 else "right", no_wrap=i == 0)
    return table


def report_table(report: Report) -> tuple[Table, str]:
    """The summary of a report, a row per candidate, and its verdict in words."""
    header, rows = summary_table(report)
    table = _table(*header)
    for row in rows:
        table.add_row(*row)
    return table, verdict(report)


def variants_table(folders: list[Path]) -> Table:
    """Each artifact of each variant."""
    manifests = [read_manifest(folder) for folder in folders]
    qualities = [one.quality for manifest in manifests for one in manifest.artifacts.values() if one.quality]
    metrics = " / ".join(sorted({quality.metric for quality in qualities})) or "accuracy"
    table = _table("variant", "backend", "precision", "MB", metrics, "measured on")
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
    rows = f"{quality.n} rows" if quality.correct is None else f"{quality.correct} of {quality.n}"
    return f"{quality.value:.2%}", f"{rows}, {quality.dataset}/{quality.split}"


def environments_table(states: list[EnvironmentState]) -> Table:
    """Each environment: the backends that it runs, by which interpreter, with which engine, and its size."""
    table = _table("environment", "backends", "engine", "MB", "interpreter")
    for text in (table.columns[1], table.columns[-1]):
        text.justify, text.overflow = "left", "fold"
    for state in states:
        size = MISSING if state.bytes is None else f"{state.bytes / 1e6:.0f}"
        engine = state.engine_version or MISSING
        table.add_row(state.name, ", ".join(state.backends) or MISSING, engine, size, _interpreter(state))
    return table


def _interpreter(state: EnvironmentState) -> str:
    if state.interpreter:
        return str(state.interpreter)
    return "this interpreter" if state.engine_version else "not created"
