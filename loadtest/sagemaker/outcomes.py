"""What an answer of SageMaker's runtime means for a campaign."""

from typing import Any

import msgspec

_THROTTLED = "ThrottlingException"
_MODEL_ERROR = 424
# What a container answers that has too much to do; 503 is that of containers with a queue of their own.
_CONTAINER_IS_FULL = (429, 503)


def is_rejected(status: int, error_type: str, body: bytes) -> bool:
    """Whether the platform throttled a request, or its container refused it.

    `error_type` is the header `x-amzn-errortype`. Everything else that is no answer is a failure: also 503, which is
    the platform's own, and 429 for a model that is not ready.
    """
    if status < 400:
        return False
    told = _object(body)
    if status == _MODEL_ERROR:
        return told.get("OriginalStatusCode") in _CONTAINER_IS_FULL
    return error_name(error_type, told) == _THROTTLED


def error_name(error_type: str, told: dict[str, Any]) -> str:
    """The name of an error, as botocore finds it: `prefix#Name:suffix` in the header, or in the body."""
    name = error_type or str(told.get("code") or told.get("__type") or "")
    return name.split(":")[0].rpartition("#")[2]


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object of an error; an empty one where it is none, as from a proxy on the way."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
