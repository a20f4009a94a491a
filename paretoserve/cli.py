"""The command line. Every error is one sentence that says what to do; PARETOSERVE_DEBUG=1 shows where it came from."""

import os
import sys

import typer
from rich.markup import escape

from loadtest.results.errors import LoadTestError
from model_store.errors import ParetoServeError
from paretoserve.commands.build import build
from paretoserve.commands.compare import compare
from paretoserve.commands.demo import demo
from paretoserve.commands.deploy import deploy
from paretoserve.commands.env import env
from paretoserve.commands.finetune import finetune
from paretoserve.commands.list import list_
from paretoserve.commands.load import load
from paretoserve.commands.package import package
from paretoserve.commands.report import report
from paretoserve.commands.serve import serve
from paretoserve.healthcheck import is_service_link
from paretoserve.terminal.progress import errors

app = typer.Typer(
    name="paretoserve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Which compressed form of my model should I ship, on which engine, how many users does it hold, and what "
    "accuracy does it cost?",
)
app.command()(demo)
app.command()(finetune)
app.command()(build)
app.command("list")(list_)
app.command(context_settings={"auto_envvar_prefix": "PARETOSERVE"})(serve)
app.command()(load)
app.command()(compare)
app.command()(package)
app.command()(report)
app.add_typer(deploy, name="deploy")
app.add_typer(env, name="env")


def main() -> None:
    """Run a command; turn errors into one sentence and an exit code of 1."""
    if is_service_link(os.environ.get("PARETOSERVE_PORT")):
        del os.environ["PARETOSERVE_PORT"]
    try:
        app()
    except (ParetoServeError, LoadTestError) as exc:
        if os.environ.get("PARETOSERVE_DEBUG"):
            raise
        errors.print(f"[red]error:[/] {escape(str(exc))}", soft_wrap=True)
        sys.exit(1)
