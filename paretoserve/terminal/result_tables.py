"""What `compare`, `load`, `report`, `build` and `list` print: a report, and the variants of a store."""

from pathlib import Path

import msgspec
from rich.table import Table

from loadtest.report.summary import summary_table, verdict
from loadtest.report.summary import variants_table as compared_variants
from loadtest.report.wording import MISSING, difference_texts, interval_text, number, whole
from loadtest.results.comparison import Difference, Quality, Report
from model_store.manifest import Artifact, Manifest, read_manifest
from paretoserve.terminal.rich_tables import new_table


def report_tables(report: Report) -> tuple[list[Table], str]:
    """The summary of a report and what its variants are, a row per candidate, and its verdict in words."""
    parts = [summary_table(report), compared_variants(report)]
    return [_table(header, rows) for header, rows in parts if rows], verdict(report)


def _table(header: tuple[str, ...], rows: tuple[tuple[str, ...], ...]) -> Table:
    table = new_table(*header)
    for row in rows:
        table.add_row(*row)
    return table


def variants_table(folders: list[Path]) -> Table:
    """Each artifact of each variant, with its quality."""
    manifests = [read_manifest(folder) for folder in folders]
    qualities = [one.quality for manifest in manifests for one in manifest.artifacts.values() if one.quality]
    metrics = " / ".join(sorted({quality.metric for quality in qualities})) or "quality"
    header = ("backend", "precision", "MB", f"{metrics} (95%)", "against dense (95%)", "p", "agreement")
    table = new_table("variant", *header)
    for manifest in manifests:
        for backend, artifact in manifest.artifacts.items():
            size = f"{artifact.bytes / 1e6:.1f}"
            table.add_row(_name(manifest), backend, artifact.precision, size, *_quality(artifact))
    return table


def sizes_table(folders: list[Path]) -> Table:
    """Each variant: how large it is, how much it computes, how long making it took, and what it was measured on."""
    table = new_table("variant", "parameters", "not zero", "MACs per token", "made in, s", "measured on")
    for manifest in (read_manifest(folder) for folder in folders):
        counts = (manifest.parameters, manifest.nonzero, manifest.macs_per_token, manifest.seconds)
        table.add_row(_name(manifest), *map(whole, counts), _measured_on(manifest))
    return table


def further_table(folders: list[Path]) -> Table | None:
    """What was measured of each artifact besides the metric; None where that is nothing."""
    manifests = [read_manifest(folder) for folder in folders]
    artifacts = [(_name(one), *pair) for one in manifests for pair in one.artifacts.items()]
    measured = [(name, backend, one.quality.further) for name, backend, one in artifacts if one.quality]
    names = tuple(dict.fromkeys(name for _, _, further in measured for name in further))
    table = new_table("variant", "backend", *names)
    for variant, backend, further in measured:
        table.add_row(variant, backend, *(number(further.get(name)) for name in names))
    return table if names else None


def _name(manifest: Manifest) -> str:
    return f"{manifest.model}/{manifest.variant}"


def _measured_on(manifest: Manifest) -> str:
    qualities = [artifact.quality for artifact in manifest.artifacts.values() if artifact.quality]
    found = dict.fromkeys(f"{one.n:,} rows of {one.dataset}/{one.split}" for one in qualities)
    return ", ".join(found) or MISSING


def _quality(artifact: Artifact) -> tuple[str, ...]:
    quality = artifact.quality
    if quality is None:
        return (MISSING,) * 4
    against_dense = msgspec.convert(quality.against_dense, Difference | None, from_attributes=True)
    shown = Quality(quality.value, quality.metric, interval=quality.interval, against_dense=against_dense)
    return interval_text(shown), *difference_texts(shown)
