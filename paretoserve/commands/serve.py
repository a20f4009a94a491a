"""`paretoserve serve`."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from paretoserve.commands import options
from paretoserve.terminal.progress import console
from serving.front.settings import Settings

DEFAULT = Settings()


def serve(
    variant: Annotated[
        list[str],
        typer.Argument(help="Folder of a variant, with @BACKEND to choose its engine.", envvar="PARETOSERVE_VARIANT"),
    ],
    name: Annotated[str | None, typer.Option(help="Name of the variant, where it is one; its own by default.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; loopback unless told otherwise.")] = DEFAULT.host,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, envvar=["SAGEMAKER_BIND_TO_PORT", "PARETOSERVE_PORT"], help="Port; 0 takes a free one."
        ),
    ] = DEFAULT.port,
    workers: Annotated[int, typer.Option(min=1, help="Processes per variant.")] = DEFAULT.workers,
    streams: Annotated[
        int | None, typer.Option(min=1, help="Calls of the engine at once per worker.")
    ] = DEFAULT.streams,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each call of the engine.")
    ] = DEFAULT.threads_per_stream,
    batch_tokens: Annotated[
        int, typer.Option(min=1, help="Most tokens in one call of the engine.")
    ] = DEFAULT.batch_tokens,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Requests per variant in the server at once.")
    ] = DEFAULT.max_queue,
    queue_deadline: options.QueueDeadline = DEFAULT.queue_deadline_s,
    max_body: Annotated[int, typer.Option(min=1, help="Largest body of a request, bytes.")] = DEFAULT.max_body_bytes,
    memory_limit: Annotated[
        int | None,
        typer.Option(min=1, help="A worker with more MiB resident is started anew; its share of a container's limit."),
    ] = DEFAULT.memory_limit_mib,
    load_timeout: Annotated[float, typer.Option(min=1.0, help="Longest load of a worker, s.")] = DEFAULT.load_timeout_s,
    hang_timeout: Annotated[
        float, typer.Option(min=0.1, help="Longest call of the engine, s.")
    ] = DEFAULT.hang_timeout_s,
    drain_timeout: Annotated[
        float, typer.Option(min=0.0, help="Longest wait at the end for what was admitted, s.")
    ] = DEFAULT.drain_timeout_s,
    server: options.Server = "own",
    log_format: options.LogFormat = DEFAULT.log_format,
    log_level: options.LogLevel = DEFAULT.log_level,
) -> None:
    """Serve variants behind one HTTP interface until stopped with Ctrl-C or SIGTERM.

    Each option can be given as an environment variable, too: PARETOSERVE_QUEUE_DEADLINE is --queue-deadline.
    """
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
    _run(variant, name, None if server == "own" else server, settings)


def _run(variants: list[str], name: str | None, unless_named: str | None, settings: Settings) -> None:
    """Serve variants, named as on the command line; `unless_named` is the backend of those that name none."""
    from paretoserve.candidates.candidate import parse_candidate, variant_specs
    from serving.front.server import serve as run_server

    specs = variant_specs([parse_candidate(text, unless_named=unless_named) for text in variants], name)

    def announce(url: str, plans: Mapping[str, str]) -> None:
        for spec in specs:
            console.print(f"Serving {spec.name} on {spec.backend}", soft_wrap=True)
        for plan_name, plan in plans.items():
            console.print(f"{plan_name}: {plan}", soft_wrap=True)
        console.print(f"Listening on {url}", soft_wrap=True)
        sys.stdout.flush()

    run_server(
        specs,
        settings,
        announce,
        resolve=lambda source: variant_specs([parse_candidate(source, unless_named=unless_named)])[0],
    )
