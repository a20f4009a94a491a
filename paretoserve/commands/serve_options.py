"""Options of `paretoserve serve` alone."""

from typing import Annotated

import typer

Variants = Annotated[
    list[str],
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
MemoryLimit = Annotated[
    int | None,
    typer.Option(min=1, help="A worker with more MiB resident is started anew; its share of a container's limit."),
]
LoadTimeout = Annotated[float, typer.Option(min=1.0, help="Longest load of a worker, s.")]
HangTimeout = Annotated[float, typer.Option(min=0.1, help="Longest call of the engine, s.")]
DrainTimeout = Annotated[float, typer.Option(min=0.0, help="Longest wait at the end for what was admitted, s.")]
