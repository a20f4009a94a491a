"""What an emulated endpoint is: its variants and their weights, and the limits that SageMaker would set."""

import re
from typing import Literal

import msgspec

from model_store.errors import ParetoServeError

Kind = Literal["real-time", "serverless", "multi-model"]

# The largest body of a request or an answer, bytes, by botocore's model of the service.
MAX_BODY_BYTES = 6_291_456

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_LONGEST_NAME = 63
_S3_FOLDER = re.compile(r"s3://[^/]+(/.*)?")


class ProductionVariant(msgspec.Struct, frozen=True):
    """A variant of the server and its part of the traffic: its weight over the sum of all weights."""

    name: str
    weight: float = 1.0


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as its emulator presents it.

    shadow: variant that gets a copy of each request, and whose answers are dropped.
    kind: while it loads, a real-time endpoint is not found, as one that is being created; the others are not ready.
    max_concurrent: invocations at once, above which they are throttled; None for no limit.
    timeout_s: longest wait for the container's answer; 60 s on SageMaker.
    async_output, async_failure: folders s3://BUCKET/PREFIX for what asynchronous invocations leave.
    models: of a multi-model endpoint, the folder that holds its models.
    region, account: as they stand in messages.
    """

    name: str
    variants: tuple[ProductionVariant, ...]
    shadow: str | None = None
    kind: Kind = "real-time"
    max_concurrent: int | None = None
    timeout_s: float = 60.0
    async_output: str | None = None
    async_failure: str | None = None
    models: str | None = None
    region: str = "us-east-1"
    account: str = "000000000000"

    @property
    def log_stream_arn(self) -> str:
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:/aws/sagemaker/Endpoints/{self.name}"

    def variant(self, name: str) -> ProductionVariant | None:
        """The production variant of this name, if there is one."""
        return next((one for one in self.variants if one.name == name), None)


def endpoint_told(name: str, served: list[str], weights: list[str], shadow: str | None, **more: object) -> Endpoint:
    """An endpoint of the variants that a server has; `weights` are `NAME=WEIGHT`, those not named weigh 1.

    Raises:
        ParetoServeError: a name or a weight is none, or nothing is left to answer requests.
    """
    if not _NAME.fullmatch(name):
        raise ParetoServeError(
            f"{name!r} is no name of an endpoint; give up to {_LONGEST_NAME} letters, digits and hyphens."
        )
    if shadow is not None and shadow not in served:
        raise ParetoServeError(f"The shadow variant {shadow!r} is not served; it is one of {', '.join(served)}.")
    given = dict(_weight_told(text, served, shadow) for text in weights)
    variants = tuple(ProductionVariant(one, given.get(one, 1.0)) for one in served if one != shadow)
    if not sum(one.weight for one in variants):
        raise ParetoServeError(
            "No production variant gets traffic; serve one with a weight above 0 besides the shadow."
        )
    for folder in (more.get("async_output"), more.get("async_failure")):
        if folder is not None and not _S3_FOLDER.fullmatch(str(folder)):
            raise ParetoServeError(f"{folder!r} is no folder of S3; give s3://BUCKET/PREFIX.")
    return msgspec.convert({"name": name, "variants": variants, "shadow": shadow, **more}, Endpoint)


def _weight_told(text: str, served: list[str], shadow: str | None) -> tuple[str, float]:
    name, _, number = text.rpartition("=")
    if name not in served or name == shadow:
        others = ", ".join(one for one in served if one != shadow)
        raise ParetoServeError(f"The weight {text!r} is for no production variant; give NAME=WEIGHT for {others}.")
    try:
        weight = float(number)
    except ValueError as exc:
        raise ParetoServeError(f"The weight {text!r} is no number; give e.g. {name}=0.9.") from exc
    if not 0 <= weight < float("inf"):
        raise ParetoServeError(f"The weight {text!r} must be a number from 0.")
    return name, weight
