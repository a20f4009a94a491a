"""Requests that offer another protocol, as Java's client offers HTTP/2 with each first request: read as HTTP/1.1."""

from collections.abc import Iterable
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER = (b"upgrade", b"http2-settings")


def new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser as uvicorn makes its own: what comes after a last request is no error."""
    parser = httptools.HttpRequestParser(cast("httptools.HTTPProtocol", protocol))
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def head_without_upgrade(method: bytes, url: bytes, version: str, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The request line and the headers without the offer."""
    lines = [b"%s %s HTTP/%s" % (method, url, version.encode())]
    for name, value in headers:
        if name == b"connection":
            kept = [one.strip() for one in value.split(b",") if one.strip().lower() not in _OFFER]
            lines += [b"connection: " + b", ".join(kept)] if kept else []
        elif name not in _OFFER:
            lines.append(name + b": " + value)
    return b"\r\n".join((*lines, b"", b""))
