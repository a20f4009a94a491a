"""The command line. Every error is one sentence that says what to do; PARETOSERVE_DEBUG=1 shows where it came from."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from loadtest.errors import LoadTestError
from model_store.errors import ParetoServeError
from paretoserve.commands import options
from paretoserve.commands.env import env
from paretoserve.healthcheck import is_service_link
from paretoserve.terminal.progress import console, errors

app = typer.Typer(
    name="paretoserve",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Which compressed form of my model should I ship, on which engine, how many users does it hold, and what "
    "accuracy does it cost?",
)
app.add_typer(env, name="env")


@app.command()
def demo(
    out: options.Out = Path("demo"),
    users: options.Users = "4,8,16,32,64",
) -> None:
    """Train a small model on a generated task, build variants of it, compare them, and print the report's path."""
    from paretoserve.demo.run import run_demo

    report = run_demo(out, options.parse_levels(users))
    _print_report(report, out)


@app.command()
def build(
    checkpoint: Annotated[str, typer.Option(help="Folder of a fine-tuned Hugging Face checkpoint, or a Hub id.")],
    data: options.Data,
    recipe: Annotated[list[str], typer.Option(help="What to build; may be given several times: dense, bf16, int8.")],
    backend: options.Backends = None,
    store: options.Store = Path("store"),
    name: Annotated[str | None, typer.Option(help="Name of the model; the checkpoint folder's by default.")] = None,
    max_tokens: Annotated[int, typer.Option(min=8, help="Where texts are cut.")] = 128,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
) -> None:
    """Build variants of a checkpoint: an artifact per engine, its accuracy on the data, and a manifest."""
    from paretoserve.builds.build import BuildRequest
    from paretoserve.builds.build import build as build_variants

    columns = options.columns(text_column, text_pair_column, label_column)
    backends = tuple(backend) if backend else None
    request = BuildRequest(checkpoint, data, tuple(recipe), store, name, columns, max_tokens, backends)
    folders = build_variants(request)
    _print_variants(folders)


@app.command("list")
def list_(store: options.Store = Path("store")) -> None:
    """List the variants of a store: their engines, sizes and accuracy."""
    from model_store.store import variant_dirs

    _print_variants(variant_dirs(store))


@app.command(context_settings={"auto_envvar_prefix": "PARETOSERVE"})
def serve(
    variant: Annotated[
        list[str],
        typer.Argument(help="Folder of a variant, with @BACKEND to choose its engine.", envvar="PARETOSERVE_VARIANT"),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the variant, where it is one; its own by default.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless told otherwise.")] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, envvar=["SAGEMAKER_BIND_TO_PORT", "PARETOSERVE_PORT"], help="Port; 0 takes a free one."
        ),
    ] = 8080,
    workers: Annotated[int, typer.Option(min=1, help="Processes per variant.")] = 1,
    streams: Annotated[int | None, typer.Option(min=1, help="Calls of the engine at once per worker.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of each call of the engine.")] = None,
    batch_tokens: Annotated[int, typer.Option(min=1, help="Most tokens in one call of the engine.")] = 256,
    max_queue: Annotated[int, typer.Option(min=1, help="Requests per variant in the server at once.")] = 512,
    queue_deadline: options.QueueDeadline = 0.1,
    max_body: Annotated[int, typer.Option(min=1, help="Largest body of a request, bytes.")] = 6 * 1024 * 1024,
    memory_limit: Annotated[
        int | None,
        typer.Option(min=1, help="A worker with more MiB resident is started anew; its share of a container's limit."),
    ] = None,
    load_timeout: Annotated[float, typer.Option(min=1.0, help="Longest load of a worker, s.")] = 300.0,
    hang_timeout: Annotated[float, typer.Option(min=0.1, help="Longest call of the engine, s.")] = 30.0,
    drain_timeout: Annotated[
        float, typer.Option(min=0.0, help="Longest wait at the end for what was admitted, s.")
    ] = 20.0,
    server: options.Server = "own",
    log_format: options.LogFormat = "text",
    log_level: options.LogLevel = "info",
) -> None:
    """Serve variants behind one HTTP interface until stopped with Ctrl-C or SIGTERM.

    Each option can be given as an environment variable, too: PARETOSERVE_QUEUE_DEADLINE is --queue-deadline.
    """
    from paretoserve.candidates.candidate import parse_candidate, variant_specs
    from serving.front.server import serve as run_server
    from serving.front.settings import Settings

    unless_named = None if server == "own" else server
    specs = variant_specs([parse_candidate(text, unless_named=unless_named) for text in variant], name)
    settings = Settings(
        host=host,
        port=port,
        workers=workers,
        streams=streams,
        threads_per_stream=threads,
        batch_tokens=batch_tokens,
        max_queue=max_queue,
        queue_deadline_s=queue_deadline,
        max_body_bytes=max_body,
        memory_limit_mib=memory_limit,
        load_timeout_s=load_timeout,
        hang_timeout_s=hang_timeout,
        drain_timeout_s=drain_timeout,
        log_format=log_format,
        log_level=log_level,
    )

    def announce(url: str, plans: Mapping[str, str]) -> None:
        for spec in specs:
            console.print(f"Serving {spec.name} on {spec.backend}", soft_wrap=True)
        for name, plan in plans.items():
            console.print(f"{name}: {plan}", soft_wrap=True)
        console.print(f"Listening on {url}", soft_wrap=True)
        sys.stdout.flush()

    run_server(specs, settings, announce)


@app.command()
def load(
    url: Annotated[str, typer.Argument(help="Address of an endpoint, e.g. http://127.0.0.1:8080.")],
    data: options.Data,
    out: options.Out = Path("runs/load"),
    users: options.Users = "auto",
    think_time: options.ThinkTime = 0.1,
    dwell: options.Dwell = 6.0,
    path: Annotated[str, typer.Option(help="Path to post to.")] = "/invocations",
    variant: Annotated[str | None, typer.Option(help="Variant to ask for, where the endpoint has several.")] = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
) -> None:
    """Load one endpoint until it throttles, and report."""
    from paretoserve.campaigns.compare import Load
    from paretoserve.campaigns.load import Endpoint, load_endpoint

    columns = options.columns(text_column, text_pair_column, None)
    target = Endpoint(url, path, variant)
    load = Load(options.parse_levels(users), think_time, *options.dwell(dwell))
    report = load_endpoint(target, load, data, columns, out)
    _print_report(report, out)


@app.command()
def compare(
    store: Annotated[Path, typer.Option(help="Folder of one model, e.g. store/sst2-minilm.")],
    candidates: Annotated[str, typer.Option(help="Comma-separated, e.g. dense@onnxruntime,int8@openvino.")],
    data: options.Data,
    out: options.Out = Path("runs/compare"),
    users: options.Users = "auto",
    think_time: options.ThinkTime = 0.1,
    dwell: options.Dwell = 6.0,
    queue_deadline: options.QueueDeadline = 0.1,
    texts_per_request: Annotated[int, typer.Option(min=1, help="Texts in one request.")] = 1,
    host: options.Host = "process",
    cpus: Annotated[float | None, typer.Option(min=0.01, help="CPU quota of each container, cores.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory of each container, e.g. 2g.")] = None,
    text_column: options.TextColumn = None,
    text_pair_column: options.PairColumn = None,
    label_column: options.LabelColumn = None,
) -> None:
    """Serve each candidate alone, measure its accuracy over HTTP, load it until it throttles, and report."""
    from paretoserve.campaigns.compare import Comparison, Load
    from paretoserve.campaigns.compare import compare as run_comparison
    from paretoserve.candidates.candidate import parse_candidate
    from paretoserve.hosts.container import limits_told

    parsed = [parse_candidate(text.strip(), store) for text in candidates.split(",")]
    comparison = Comparison(
        candidates=parsed,
        data=data,
        out_dir=out,
        load=Load(options.parse_levels(users), think_time, *options.dwell(dwell)),
        queue_deadline_s=queue_deadline,
        texts_per_request=texts_per_request,
        columns=options.columns(text_column, text_pair_column, label_column),
        title=f"{store.name}: {len(parsed)} candidates",
        containers=limits_told(host, cpus, memory),
    )
    _print_report(run_comparison(comparison), out)


@app.command()
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


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="Folder with a report.json.")]) -> None:
    """Draw the charts and the page of a finished comparison again from its report.json."""
    from loadtest.comparison import REPORT_FILE, read_report
    from loadtest.report import render

    render(folder)
    _print_report(read_report(folder / REPORT_FILE), folder)


def _print_report(report: object, folder: Path) -> None:
    from loadtest.comparison import Report
    from paretoserve.terminal.tables import report_table

    assert isinstance(report, Report), "this is a bug: commands hand over reports"
    table, verdict = report_table(report)
    console.print(table)
    console.print(verdict, markup=False)
    console.print(f"Report: {folder / 'report.html'}", markup=False, soft_wrap=True)


def _print_variants(folders: list[Path]) -> None:
    from paretoserve.terminal.tables import variants_table

    console.print(variants_table(folders))


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
