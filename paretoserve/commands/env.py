"""`paretoserve env`: environments of engines that do not fit together."""

from typing import Annotated

import typer

from paretoserve.terminal.progress import console

env = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Environments for engines whose dependencies conflict: one for each, made from a locked list of packages.\n\n"
    "An engine needs one only if it cannot be installed beside ParetoServe. Where there is one, build, serve and "
    "compare run that backend's processes in it. They lie in $PARETOSERVE_ENVS, or else in "
    "~/.local/share/paretoserve/envs.",
)

Backends = Annotated[list[str], typer.Argument(help="E.g. deepsparse, or several.")]


@env.command()
def create(
    backend: Backends,
    python: Annotated[
        str | None,
        typer.Option(help="Python to make it with, e.g. python3.11; ours, or one that the engine runs on, by default."),
    ] = None,
) -> None:
    """Make the environment of each backend. One that is there and up to date is left as it is."""
    from paretoserve.environments.catalogue import create_environment

    for one in backend:
        interpreter = create_environment(one, python)
        console.print(f"{one} runs on {interpreter}", markup=False, soft_wrap=True)


@env.command("list")
def list_() -> None:
    """Show which interpreter runs each backend, its engine's version, and the size of its environment."""
    from paretoserve.environments.catalogue import describe_environments
    from paretoserve.environments.table import environments_table

    console.print(environments_table(describe_environments()))


@env.command()
def remove(backend: Backends) -> None:
    """Remove the environment of each backend, and what is left of its earlier ones."""
    from paretoserve.environments.catalogue import remove_environment

    for one in backend:
        done = "removed" if remove_environment(one) else "there was none"
        console.print(f"{one}: {done}", markup=False, soft_wrap=True)
