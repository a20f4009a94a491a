"""Which status an error is answered with, and its body. The only place where both are known."""

import math
from typing import Any

import msgspec

from model_store import errors

STATUS: dict[str, int] = {
    "BadInput": 400,
    "Unauthorized": 401,
    "UnknownVariant": 404,
    "NotAcceptable": 406,
    "AlreadyLoaded": 409,
    "TooLarge": 413,
    "UnsupportedMediaType": 415,
    "UnknownHost": 421,
    "Overloaded": 429,
    "BackendError": 500,
    "ParetoServeError": 500,
    "StoreError": 500,
    "WorkerFailed": 500,
    "NotReady": 503,
    "DeadlineExceeded": 504,
    "NoMemory": 507,
}


def status_of(error: str) -> int:
    """The status for an error by the name of its class; a class without one has its base's."""
    kind: type[BaseException] = getattr(errors, error)
    assert issubclass(kind, errors.ParetoServeError), "this is a bug: errors travel by the names of that tree"
    return next(STATUS[base.__name__] for base in kind.__mro__ if base.__name__ in STATUS)


def error_body(message: str, error: str) -> bytes:
    """The same body on every route; `error` is what Open Inference Protocol clients read."""
    body: dict[str, Any] = {"error": message, "type": error}
    return msgspec.json.encode(body)


BUG = error_body("Internal error; the server's log has the details.", "Bug")


def retry_after(seconds: float) -> bytes:
    """HTTP's Retry-After: whole seconds, at least one."""
    return str(max(1, math.ceil(seconds))).encode()
