"""Headers between clients and a variant's own code: those that it may see, and those that it may set.

SageMaker strips the headers of a request but for those of InvokeEndpoint, and hands back of an answer's the content
type, custom attributes, and those that open or close a session. Elsewhere what else own code sets arrives as well.
"""

import logging
from collections.abc import Iterable

from handlers.own_code.headers import is_header, is_ours

log = logging.getLogger("paretoserve.requests")

_SAGEMAKER = b"x-amzn-sagemaker-"
_SEEN = frozenset((b"content-type", b"accept", b"x-request-id", b"traceparent"))


def for_own_code(headers: dict[bytes, bytes]) -> dict[str, str]:
    """Of a request's headers those that own code may see, by their names in lower case."""
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name.startswith(_SAGEMAKER) or name in _SEEN
    }


def of_own_code(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Headers that own code set, as they are sent; those that it may not set are left out."""
    sent = []
    for name, value in headers:
        if not is_header(name, value) or is_ours(name) or name.lower() == "content-type":
            log.warning("a header that the variant's own code set is left out: it is the server's own, or none")
        else:
            sent.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    return sent


def status_of_own_code(status: int) -> int:
    """The status that own code set; 0 where it set none, or one that no answer can have."""
    return status if 200 <= status <= 599 else 0
