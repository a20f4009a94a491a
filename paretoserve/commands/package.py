"""`paretoserve package`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from paretoserve.terminal.progress import console


def package(
    variant: Annotated[str, typer.Argument(help="Folder of a variant, with @BACKEND to choose its engine.")],
    out: Annotated[Path, typer.Option(help="File to write, e.g. int8.mar; its settings go beside it.")],
    format_: Annotated[Literal["torchserve"], typer.Option("--format", help="Whose format.")] = "torchserve",
) -> None:
    """Write a variant as the archive of another server, which runs the same handler."""
    from paretoserve.builds.package import package_for_torchserve
    from paretoserve.candidates.candidate import parse_candidate

    packaged = package_for_torchserve(parse_candidate(variant, unless_named=format_), out)
    console.print(f"Archive: {packaged.archive}", markup=False, soft_wrap=True)
    console.print(f"Settings: {packaged.settings}", markup=False, soft_wrap=True)
