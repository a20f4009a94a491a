"""`paretoserve serve`."""

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from paretoserve.commands import options
from paretoserve.terminal.progress import console


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
