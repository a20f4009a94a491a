"""An invocation as a client asks for it, read from headers that are checked as SageMaker checks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from paretoserve.sagemaker.emulator.description import Endpoint
from paretoserve.sagemaker.emulator.errors import validation_error
from serving.front.asgi import text_header

_PREFIX = "x-amzn-sagemaker-"

_PRINTABLE = re.compile(r"\S[\x20-\x7e]*")
_ASCII = re.compile(r"[\x20-\x7e\t]*")
_SESSION = re.compile(r"NEW_SESSION|[a-zA-Z0-9](-*[a-zA-Z0-9])*")


class _Rule(NamedTuple):
    longest: int
    pattern: re.Pattern[str]


# By botocore's model of the service. Names of variants are looked up among those that there are.
_RULES = {
    "content-type": _Rule(1024, _ASCII),
    "accept": _Rule(1024, _ASCII),
    f"{_PREFIX}content-type": _Rule(1024, _ASCII),
    f"{_PREFIX}accept": _Rule(1024, _ASCII),
    f"{_PREFIX}custom-attributes": _Rule(1024, _ASCII),
    f"{_PREFIX}target-model": _Rule(1024, _PRINTABLE),
    f"{_PREFIX}inference-id": _Rule(64, _PRINTABLE),
    f"{_PREFIX}session-id": _Rule(256, _SESSION),
}
# What SageMaker has and this endpoint has not; by the name that boto3 gives it.
_NOT_HERE = {
    f"{_PREFIX}target-container-hostname": "TargetContainerHostname",
    f"{_PREFIX}inference-component": "InferenceComponentName",
    f"{_PREFIX}enable-explanations": "EnableExplanations",
}
# Beside its content type, the container gets these headers and no others.
_HANDED_ON = ("custom-attributes", "inference-id", "session-id", "target-model")


@dataclass(frozen=True, slots=True)
class Invocation:
    """What is asked, and the headers that go to the container. Empty where the client says nothing."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    target_variant: str = ""
    target_model: str = ""


class TypeHeaders(NamedTuple):
    """Where an operation has the content types of its request and of the answer it wants."""

    content_type: str
    accept: str


INVOKE = TypeHeaders("content-type", "accept")
STREAM = TypeHeaders("content-type", f"{_PREFIX}accept")
ASYNC = TypeHeaders(f"{_PREFIX}content-type", f"{_PREFIX}accept")


def _check(headers: Mapping[bytes, bytes]) -> None:
    for name, member in _NOT_HERE.items():
        if name.encode() in headers:
            raise validation_error(f"{member} is not supported by this endpoint.")
    for name, rule in _RULES.items():
        raw = headers.get(name.encode())
        if raw is None:
            continue
        value = raw.decode("latin-1")
        if len(value) > rule.longest or not rule.pattern.fullmatch(value):
            raise validation_error(
                f"1 validation error detected: Value at '{name.removeprefix(_PREFIX)}' failed to satisfy constraint: "
                f"Member must have length less than or equal to {rule.longest} and satisfy {rule.pattern.pattern}"
            )


def invocation_of(endpoint: Endpoint, headers: dict[bytes, bytes], body: bytes, types: TypeHeaders) -> Invocation:
    """Read an invocation.

    Raises:
        PlatformError: a header is not valid, or the endpoint has no such variant or model.
    """
    _check(headers)
    variant = text_header(headers, f"{_PREFIX}target-variant".encode())
    if variant and endpoint.variant(variant) is None:
        raise validation_error(f"Variant {variant} of endpoint {endpoint.name} not found.")
    model = text_header(headers, f"{_PREFIX}target-model".encode())
    if endpoint.kind == "multi-model" and not model:
        raise validation_error(f"Endpoint {endpoint.name} has several models; give TargetModel.")
    if model and endpoint.kind != "multi-model":
        raise validation_error(f"Endpoint {endpoint.name} has one model, so TargetModel cannot be given.")
    return Invocation(body, tuple(_for_the_container(headers, types)), variant, model)


def _for_the_container(headers: Mapping[bytes, bytes], types: TypeHeaders) -> list[tuple[bytes, bytes]]:
    given = [("content-type", types.content_type), ("accept", types.accept)]
    if types is STREAM:
        # By it a container may know that its answer is wanted in parts.
        given.append((types.accept, types.accept))
    given += [(_PREFIX + name, _PREFIX + name) for name in _HANDED_ON]
    return [(name.encode(), headers[source.encode()]) for name, source in given if source.encode() in headers]
