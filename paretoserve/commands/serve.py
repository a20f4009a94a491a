"""`paretoserve serve`."""

import sys
from collections.abc import Mapping

from paretoserve.commands import options, serve_options
from paretoserve.terminal.progress import console
from serving.front.settings import Settings

DEFAULT = Settings()


def serve(
    variant: serve_options.Variants,
    name: serve_options.Name = None,
    host: serve_options.Host = DEFAULT.host,
    port: serve_options.Port = DEFAULT.port,
    workers: serve_options.Workers = DEFAULT.workers,
    streams: serve_options.Streams = DEFAULT.streams,
    threads: serve_options.Threads = DEFAULT.threads_per_stream,
    batch_tokens: serve_options.BatchTokens = DEFAULT.batch_tokens,
    max_queue: serve_options.MaxQueue = DEFAULT.max_queue,
    queue_deadline: options.QueueDeadline = DEFAULT.queue_deadline_s,
    max_body: serve_options.MaxBody = DEFAULT.max_body_bytes,
    memory_limit: serve_options.MemoryLimit = DEFAULT.memory_limit_mib,
    load_timeout: serve_options.LoadTimeout = DEFAULT.load_timeout_s,
    hang_timeout: serve_options.HangTimeout = DEFAULT.hang_timeout_s,
    drain_timeout: serve_options.DrainTimeout = DEFAULT.drain_timeout_s,
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
