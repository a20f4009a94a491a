"""boto3 as users have it, and what it sends counted."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

BODY = b'{"inputs": "great"}'

_made: "list[SageMakerRuntimeClient]" = []


def close_all() -> None:
    """Close the connections of all clients so far."""
    while _made:
        _made.pop().close()


def runtime(url: str, retries: Any = None, **config: Any) -> "SageMakerRuntimeClient":
    """A client with boto3's own retries unless told otherwise; they do not sleep here."""
    settings = Config(retries=retries, **config) if retries else Config(**config)
    client: SageMakerRuntimeClient = boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key="not-a-secret",  # noqa: S106  nobody's
        config=settings,
    )
    _made.append(client)
    return client


def attempts(error: Any) -> int:
    """How often boto3 sent the request that ended in this error."""
    retried: int = error.response["ResponseMetadata"]["RetryAttempts"]
    return 1 + retried


def counting(client: "SageMakerRuntimeClient") -> Callable[[], int]:
    """How many requests a client has sent since."""
    sent: list[object] = []
    client.meta.events.register("before-send.*", lambda **_: sent.append(None))
    return lambda: len(sent)
