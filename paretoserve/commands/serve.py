"""`paretoserve serve`. Its options are the fields of `Settings`, called like them but without units."""

import os
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from model_store.errors import ParetoServeError
from paretoserve.commands import options
from paretoserve.commands.sagemaker_options import emulating, emulator_told
from paretoserve.terminal.progress import console
from serving.front.sagemaker_variables import ignored_in, settings_from
from serving.front.settings import Settings, VariantSpec

DEFAULT = Settings()

# For what a start that is broken off has begun to be ended.
STOP_S = 3

Variants = Annotated[
    list[str] | None,
    typer.Argument(help="Folder of a variant, with @BACKEND to choose its engine.", envvar="PARETOSERVE_VARIANT"),
]
Name = Annotated[str | None, typer.Option(help="Name of the variant, where it is one; its own by default.")]
Host = Annotated[str, typer.Option(help="Address to listen on; loopback unless told otherwise.")]
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65535, envvar=["SAGEMAKER_BIND_TO_PORT", "PARETOSERVE_PORT"], help="Port; 0 takes a free one."
    ),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes per variant.")]
Streams = Annotated[int | None, typer.Option(min=1, help="Calls of the engine at once per worker.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads of each call of the engine.")]
BatchTokens = Annotated[int, typer.Option(min=1, help="Most tokens in one call of the engine.")]
MaxQueue = Annotated[int, typer.Option(min=1, help="Requests per variant in the server at once.")]
MaxBody = Annotated[int, typer.Option(min=1, help="Largest body of a request, bytes.")]
MaxBytesInFlight = Annotated[
    int | None, typer.Option(min=1, help="Bytes of all bodies in the server at once; a share of the memory by default.")
]
MaxConnections = Annotated[int, typer.Option(min=1, help="Connections at once.")]
MaxHeaderCount = Annotated[int, typer.Option(min=1, help="Headers of a request.")]
MaxHeader = Annotated[int, typer.Option(min=1, help="Request line and headers of a request, bytes.")]
MaxUrl = Annotated[int, typer.Option(min=1, help="Longest URL, bytes.")]
HeaderTimeout = Annotated[float, typer.Option(min=0.1, help="Longest wait for the headers of a request, s.")]
BodyTimeout = Annotated[float, typer.Option(min=0.1, help="Longest wait for the body of a request, s.")]
MaxInputs = Annotated[int, typer.Option(min=1, help="Most texts in one request.")]
MemoryLimit = Annotated[
    int | None,
    typer.Option(min=1, help="A worker with more MiB resident is started anew; its share of a container's limit."),
]
LoadTimeout = Annotated[float, typer.Option(min=1.0, help="Longest load of a worker, s.")]
ExecutionDeadline = Annotated[float, typer.Option(min=0.1, help="Longest time from admission to the answer, s.")]
HangTimeout = Annotated[float, typer.Option(min=0.1, help="Longest call of the engine, s.")]
DrainTimeout = Annotated[float, typer.Option(min=0.0, help="Longest wait at the end for what was admitted, s.")]
PassEnv = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Environment variable that workers get, too; may be repeated.")
]
MultiModel = Annotated[
    bool,
    typer.Option(
        "--multi-model",
        envvar=["SAGEMAKER_MULTI_MODEL", "PARETOSERVE_MULTI_MODEL"],
        help="Start without variants; models are loaded and unloaded by SageMaker's API of multi-model endpoints.",
    ),
]

InstallRequirements = Annotated[
    bool, typer.Option(help="Whether workers install what code/requirements.txt of a variant names.")
]

AllowHosts = Annotated[
    list[str],
    typer.Option(
        help="Names that requests may have in Host, separated by commas, besides this machine's own; * for all.",
        callback=lambda named: tuple(part.strip() for one in named for part in one.split(",") if part.strip()),
    ),
]
ApiKeyFile = Annotated[
    Path | None,
    typer.Option(help="File of keys, one a line; requests must bring one, apart from those for health."),
]


@emulating
def serve(
    context: typer.Context,
    variant: Variants = None,
    name: Name = None,
    host: Host = DEFAULT.host,
    port: Port = DEFAULT.port,
    workers: Workers = DEFAULT.workers,
    streams: Streams = DEFAULT.streams,
    threads: Threads = DEFAULT.threads_per_stream,
    batch_tokens: BatchTokens = DEFAULT.batch_tokens,
    max_queue: MaxQueue = DEFAULT.max_queue,
    queue_deadline: options.QueueDeadline = DEFAULT.queue_deadline_s,
    max_body: MaxBody = DEFAULT.max_body_bytes,
    max_bytes_in_flight: MaxBytesInFlight = DEFAULT.max_bytes_in_flight,
    max_connections: MaxConnections = DEFAULT.max_connections,
    max_header_count: MaxHeaderCount = DEFAULT.max_header_count,
    max_header: MaxHeader = DEFAULT.max_header_bytes,
    max_url: MaxUrl = DEFAULT.max_url_bytes,
    header_timeout: HeaderTimeout = DEFAULT.header_timeout_s,
    body_timeout: BodyTimeout = DEFAULT.body_timeout_s,
    max_inputs: MaxInputs = DEFAULT.max_inputs,
    memory_limit: MemoryLimit = DEFAULT.memory_limit_mib,
    load_timeout: LoadTimeout = DEFAULT.load_timeout_s,
    execution_deadline: ExecutionDeadline = DEFAULT.execution_deadline_s,
    hang_timeout: HangTimeout = DEFAULT.hang_timeout_s,
    drain_timeout: DrainTimeout = DEFAULT.drain_timeout_s,
    allow_hosts: AllowHosts = list(DEFAULT.allow_hosts),  # noqa: B006  it is read only
    api_key_file: ApiKeyFile = DEFAULT.api_key_file,
    pass_env: PassEnv = None,
    multi_model: MultiModel = DEFAULT.multi_model,
    install_requirements: InstallRequirements = DEFAULT.install_requirements,
    server: options.Server = "own",
    log_format: options.LogFormat = DEFAULT.log_format,
    log_level: options.LogLevel = DEFAULT.log_level,
) -> None:
    """Serve variants behind one HTTP interface until stopped with Ctrl-C or SIGTERM.

    Each option can be given as an environment variable, too: PARETOSERVE_QUEUE_DEADLINE is --queue-deadline.
    """
    signal.signal(signal.SIGTERM, _stop)
    for variable, reason in ignored_in(os.environ).items():
        console.print(f"{variable} is ignored: {reason}", markup=False, soft_wrap=True)
    _run(variant or [], name, None if server == "own" else server, _settings(context), context.obj)


def _settings(context: typer.Context) -> Settings:
    """By the command line, our own variables, and SageMaker's where neither says anything."""
    told = {field.name: context.params[_option(field.name)] for field in fields(Settings)}
    told |= {name: value for name, value in settings_from(os.environ).items() if _is_untold(context, _option(name))}
    return Settings(**told | {"pass_env": tuple(told["pass_env"] or ())})


def _is_untold(context: typer.Context, option: str) -> bool:
    """Whether neither the command nor a variable of ours says what an option is to be."""
    source = context.get_parameter_source(option)
    return source is None or source.name == "DEFAULT"


def _stop(number: int, frame: FrameType | None) -> None:
    """SIGTERM before there is a server to drain. The first process of a container would ignore it without a handler."""
    # An exception is lost where it is raised in a callback of the interpreter's own.
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(0))
    signal.alarm(STOP_S)
    raise SystemExit(0)


def _option(field: str) -> str:
    """The parameter of `serve` that sets a field of `Settings`."""
    return re.sub("_(s|bytes|mib|per_stream)$", "", field)


def _run(
    variants: list[str], name: str | None, unless_named: str | None, settings: Settings, emulation: dict[str, Any]
) -> None:
    """Serve variants, named as on the command line; `unless_named` is the backend of those that name none."""
    from paretoserve.candidates.candidate import parse_candidate, variant_specs
    from serving.front.server import serve as run_server

    if settings.multi_model:
        unless_named, variants = unless_named or _backend_of_all(variants), []
    elif not variants:
        raise ParetoServeError("Name the folder of a variant, e.g. store/sst2/int8, or serve with --multi-model.")
    specs = variant_specs([parse_candidate(text, unless_named=unless_named) for text in variants], name)
    with emulator_told(emulation, [spec.name for spec in specs], settings) as emulator:

        def announce(url: str, plans: Mapping[str, str]) -> None:
            _announce(specs, plans)
            if emulator is not None:
                emulator.start(url)
                console.print(f"SageMaker endpoint {emulation['endpoint_name']} on {emulator.url}", soft_wrap=True)
            console.print(f"Listening on {url}", soft_wrap=True)
            sys.stdout.flush()

        run_server(
            specs,
            settings,
            announce,
            resolve=lambda source: variant_specs([parse_candidate(source, unless_named=unless_named)])[0],
            before_drain=None if emulator is None else emulator.drain,
        )


def _announce(specs: Sequence[VariantSpec], plans: Mapping[str, str]) -> None:
    for spec in specs:
        console.print(f"Serving {spec.name} on {spec.backend}", soft_wrap=True)
    for name, plan in plans.items():
        console.print(f"{name}: {plan}", soft_wrap=True)


def _backend_of_all(variants: list[str]) -> str | None:
    """The `@BACKEND` of what an image serves unless it has many models: then it is for all of them."""
    backends = {text.rpartition("@")[2] for text in variants if "@" in text and "/" not in text.rpartition("@")[2]}
    return backends.pop() if len(backends) == 1 else None
