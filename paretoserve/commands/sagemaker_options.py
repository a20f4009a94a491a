"""Options of `serve` that put SageMaker's runtime in front of the server. They have a panel of their own in --help."""

import functools
import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from model_store.errors import ParetoServeError
from serving.headers import ALL_TRAFFIC

if TYPE_CHECKING:
    from paretoserve.sagemaker.emulator.beside import Emulator
    from serving.front.settings import Settings

_option = functools.partial(typer.Option, rich_help_panel="SageMaker emulation")


def _declared(
    emulate_sagemaker: Annotated[
        bool,
        _option(
            "--emulate-sagemaker",
            help="Also answer boto3's invoke_endpoint, with the errors, variants and weights of a SageMaker endpoint. "
            "Set AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME to the address that is printed.",
        ),
    ] = False,
    endpoint_name: Annotated[str, _option(help="Name of the endpoint.")] = "local",
    sagemaker_port: Annotated[int, _option(min=0, max=65535, help="Port of the runtime; 0 takes a free one.")] = 8081,
    variant_weight: Annotated[
        list[str] | None,
        _option(metavar="NAME=WEIGHT", help="Weight of a production variant, 1 by default; may be repeated."),
    ] = None,
    shadow_variant: Annotated[
        str | None, _option(metavar="NAME", help="Variant that gets a copy of each request; its answers are dropped.")
    ] = None,
    endpoint_kind: Annotated[
        Literal["real-time", "serverless"],
        _option(help="While it loads: not found, as one being created; or ModelNotReadyException."),
    ] = "real-time",
    max_concurrent_invocations: Annotated[
        int | None, _option(min=1, help="More at once get a ThrottlingException; no limit by default.")
    ] = None,
    invocation_timeout: Annotated[float, _option(min=0.1, help="Longest wait for an answer, s.")] = 60.0,
    models_folder: Annotated[
        Path | None,
        _option(help="Make it a multi-model endpoint, whose TargetModel names a folder in this one."),
    ] = None,
    async_output: Annotated[
        str | None, _option(metavar="S3-FOLDER", help="Where answers of invoke_endpoint_async go.")
    ] = None,
    async_failure: Annotated[
        str | None, _option(metavar="S3-FOLDER", help="Where the reasons go of those that failed.")
    ] = None,
) -> None:
    """The options; `emulating` gives them to a command."""


_PARAMETERS = inspect.signature(_declared).parameters


def emulating(command: Callable[..., None]) -> Callable[..., None]:
    """A command with these options, too; it finds what was told in `context.obj`."""

    @functools.wraps(command)
    def with_them(context: typer.Context, **given: Any) -> None:
        context.obj = {name: given.pop(name) for name in _PARAMETERS}
        command(context, **given)

    own = inspect.signature(command)
    merged = [*own.parameters.values(), *_PARAMETERS.values()]
    with_them.__signature__ = own.replace(parameters=merged)  # type: ignore[attr-defined]
    with_them.__annotations__ = {**command.__annotations__, **_declared.__annotations__}
    return with_them


@contextmanager
def emulator_told(told: dict[str, Any], served: Sequence[str], settings: "Settings") -> "Iterator[Emulator | None]":
    """The emulator in front of a server that has these variants, where it was asked for.

    Raises:
        ParetoServeError: options cannot be, or its port is taken.
    """
    if not told["emulate_sagemaker"]:
        _refuse_without(told)
        yield None
        return
    from paretoserve.sagemaker.emulator.beside import Emulator
    from paretoserve.sagemaker.emulator.description import endpoint_told

    models = told["models_folder"]
    endpoint = endpoint_told(
        told["endpoint_name"],
        [ALL_TRAFFIC] if models else list(served),
        told["variant_weight"] or [],
        told["shadow_variant"],
        kind="multi-model" if models else told["endpoint_kind"],
        models=str(models) if models else None,
        max_concurrent=told["max_concurrent_invocations"],
        timeout_s=told["invocation_timeout"],
        async_output=told["async_output"],
        async_failure=told["async_failure"],
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1",
    )
    with Emulator(endpoint, settings, told["sagemaker_port"]) as emulator:
        yield emulator


def _refuse_without(told: dict[str, Any]) -> None:
    for name, parameter in _PARAMETERS.items():
        if (told[name] or None) != (parameter.default or None):
            raise ParetoServeError(f"--{name.replace('_', '-')} is an option of --emulate-sagemaker; give that, too.")
