"""`paretoserve package`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from paretoserve.terminal.progress import console


def package(
    variant: Annotated[str, typer.Argument(help="Folder of a variant, with @BACKEND to choose its engine.")],
    out: Annotated[
        Path,
        typer.Option(help="File to write: int8.mar, with its settings beside it, or int8.tar.gz, with its SHA-256."),
    ],
    format_: Annotated[
        Literal["torchserve", "sagemaker"], typer.Option("--format", help="Whose format.")
    ] = "torchserve",
) -> None:
    """Write a variant as the archive of another server, which runs the same handler.

    SageMaker's is the variant's folder, with @BACKEND without the artifacts of other engines. The same variant always
    gives the same bytes.
    """
    if format_ == "torchserve":
        _for_torchserve(variant, out)
    else:
        _for_sagemaker(variant, out)


def _for_torchserve(variant: str, out: Path) -> None:
    from paretoserve.builds.package import package_for_torchserve
    from paretoserve.candidates.candidate import parse_candidate

    packaged = package_for_torchserve(parse_candidate(variant, unless_named="torchserve"), out)
    console.print(f"Archive: {packaged.archive}", markup=False, soft_wrap=True)
    console.print(f"Settings: {packaged.settings}", markup=False, soft_wrap=True)


def _for_sagemaker(variant: str, out: Path) -> None:
    from paretoserve.sagemaker.packaging import package_for_sagemaker

    archive = package_for_sagemaker(variant, out)
    console.print(f"Archive: {archive.path}", markup=False, soft_wrap=True)
    console.print(f"SHA-256: {archive.sha256}", markup=False, soft_wrap=True)
