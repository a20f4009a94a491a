"""Answers as bytes, for requests that are answered before they are read, and so by no route."""

from collections.abc import Iterable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from serving.front.http_errors import error_body

CLOSE = (b"connection", b"close")

# The type of what is wrong with a request as HTTP.
HTTP_ERROR = "HTTPError"


def raw_answer(status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    """The whole of an answer in JSON. Whoever sends it with `CLOSE` among its headers closes the connection."""
    lines = [b"%s: %s\r\n" % header for header in headers]
    head = b"%scontent-type: application/json\r\ncontent-length: %d\r\n" % (STATUS_LINE[status], len(body))
    return b"".join((head, *lines, b"\r\n", body))


def status_of_answer(answer: bytes) -> int:
    """The status in the first line of a whole answer, such as `HTTP/1.1 408 Request Timeout`."""
    return int(answer.split(b" ", 2)[1])


def last_answer(status: int, message: str, *headers: tuple[bytes, bytes]) -> bytes:
    """The last answer of a connection, to a request that is not HTTP as this server takes it."""
    return raw_answer(status, error_body(message, HTTP_ERROR), (CLOSE, *headers))
