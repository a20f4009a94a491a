"""The pages that people write and results fill in, besides `docs/performance.md`."""

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import finetuned_table, glue_table, shapes_table, variants_table
from benchmarks.harness.places import ROOT

Fill = Callable[[str], str]

FILLED: dict[Path, tuple[Fill, ...]] = {
    ROOT / "docs" / "variants.md": (variants_table.render, glue_table.render_cola, shapes_table.render),
    ROOT / "docs" / "nas.md": (glue_table.render_rte,),
    ROOT / "docs" / "finetune.md": (finetuned_table.render,),
}
"""By page, what writes into it."""


def filled_pages() -> Iterator[tuple[Path, str]]:
    """Each page, and what it should say."""
    for page, fills in FILLED.items():
        text = page.read_text()
        for fill in fills:
            text = fill(text)
        yield page, text
