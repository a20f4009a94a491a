"""The headers of an answer that the user's own code may set, wherever it sets them."""

import re

# What the server itself says of an answer and of its connection.
_OURS = frozenset(
    "connection content-length date inference-header-content-length keep-alive server server-timing traceparent "
    "trailer transfer-encoding upgrade x-amzn-invoked-production-variant x-paretoserve-truncated x-request-id".split()
)
# A line break in a header would begin another one.
_NAME, _VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\t -~\x80-\xff]*")


def is_header(name: object, value: object) -> bool:
    """Whether this can be sent."""
    return (
        isinstance(name, str)
        and isinstance(value, str)
        and _NAME.fullmatch(name) is not None
        and _VALUE.fullmatch(value) is not None
    )


def is_ours(name: str) -> bool:
    """Whether the server sets this one itself; the content type is told apart, since `output_fn` returns it."""
    return name.lower() in _OURS
