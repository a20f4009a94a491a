"""A table of text."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Header and rows of text; the first cell of a row names it."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def without_empty_columns(table: Table, missing: str) -> Table:
    """The table without columns in which every cell is `missing`."""
    kept = [place for place in range(len(table.header)) if any(row[place] != missing for row in table.rows)]
    header = tuple(table.header[place] for place in kept)
    return Table(header, tuple(tuple(row[place] for place in kept) for row in table.rows))
