"""The table of variants in `docs/variants.md`, from what `python -m benchmarks variants` left behind."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness.places import VARIANTS
from benchmarks.harness.results import Result, markdown_table, spread_text
from benchmarks.marked import NOTHING, filled, where
from loadtest.report.wording import MISSING

HEAD = ("Candidate", "accuracy, %", "lost, points", "MB", "weights not zero", "times dense", "times the baseline")


def render(page: str, folder: Path = VARIANTS) -> str:
    """The page with a table for each result in `folder`."""
    results = [msgspec.json.decode(file.read_bytes(), type=Result) for file in sorted(folder.glob("*.json"))]
    return filled(page, "measured", "\n".join(map(_section, results)) or NOTHING)


def _section(result: Result) -> str:
    dense = {name.partition("@")[2]: one for name, one in result.summary.items() if name.startswith("dense@")}
    rows = [_row(name, one, dense) for name, one in result.summary.items()]
    return f"{where(result)}:\n\n{markdown_table(HEAD, rows)}"


def _row(name: str, one: Mapping[str, Any], dense: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    other = dense.get(name.partition("@")[2])
    accuracy, lost = one["quality"]["value"], MISSING
    if other is not None and other is not one:
        lost = f"{100 * (other['quality']['value'] - accuracy):.2f}"
    times = [spread_text(one[key]) if key in one else MISSING for key in ("times_dense", "times_baseline")]
    return (name, f"{100 * accuracy:.2f}", lost, f"{one['bytes'] / 1e6:.1f}", f"{one['nonzero'] / 1e6:.1f} M", *times)
