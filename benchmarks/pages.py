"""The pages that people write and results fill in, besides `docs/performance.md`."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import shapes_table, variants_table
from benchmarks.harness.places import ROOT

Fill = Callable[[str], str]

FILLED: dict[Path, tuple[Fill, ...]] = {
    ROOT / "docs" / "variants.md": (variants_table.render, shapes_table.render),
}
"""By page, what writes into it."""


def filled_pages() -> Iterator[tuple[Path, str]]:
    """Each page, and what it should say."""
    for page, fills in FILLED.items():
        text = page.read_text()
        for fill in fills:
            text = fill(text)
        yield page, text
