"""How tables look on a terminal."""

from rich.table import Table


def new_table(*headers: str) -> Table:
    """A table whose first column is never broken, and whose others are aligned to the right."""
    table = Table(header_style="bold")
    for i, header in enumerate(headers):
        table.add_column(header, justify="left" if i == 0 else "right", no_wrap=i == 0)
    return table
