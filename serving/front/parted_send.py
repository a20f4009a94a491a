"""An answer that is sent in parts, as they come from the worker: HTTP's chunks."""

import asyncio

from serving.front import asgi
from serving.wire.messages import Reply

# What asks for it: the header that SageMaker's InvokeEndpointWithResponseStream has for `Accept`, or a parameter of
# `Accept` itself, which reaches a container on SageMaker as well.
STREAM_ACCEPT = b"x-amzn-sagemaker-accept"
_PARAMETER = ("stream", "true")


def wants_parts(scope: asgi.Scope, headers: dict[bytes, bytes]) -> bool:
    """Whether a request asks for its answer in parts; HTTP/1.0 has no chunks."""
    if scope.get("http_version") == "1.0":
        return False
    return STREAM_ACCEPT in headers or _has_parameter(asgi.text_header(headers, b"accept"))


def accept_of(headers: dict[bytes, bytes]) -> str:
    return asgi.text_header(headers, STREAM_ACCEPT if STREAM_ACCEPT in headers else b"accept")


def _has_parameter(accept: str) -> bool:
    if "stream" not in accept:  # nearly all
        return False
    parameters = (part.partition("=") for one in accept.split(",") for part in one.split(";")[1:])
    return any((name.strip().lower(), value.strip().lower()) == _PARAMETER for name, _, value in parameters)


class PartedSend:
    """Sends the head of the answer with its first part, and each part as soon as it is there."""

    def __init__(self, send: asgi.Send, headers: list[tuple[bytes, bytes]]) -> None:
        self._send, self._headers = send, headers
        self._parts: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None

    @property
    def has_begun(self) -> bool:
        return self._sending is not None

    def on_part(self, part: Reply) -> None:
        self._parts.put_nowait(part)
        self._sending = self._sending or asyncio.create_task(self._run(part))

    async def _run(self, first: Reply) -> None:
        headers = [*self._headers, (b"content-type", first.content_type.encode("latin-1"))]
        if first.truncated:
            headers.append((b"x-paretoserve-truncated", ",".join(map(str, first.truncated)).encode()))
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        while (part := await self._parts.get()) is not None:
            await self._send({"type": "http.response.body", "body": part.body, "more_body": True})

    async def end(self, last: bytes | None) -> None:
        """Send the last bytes. Without any, the connection is closed without the chunk that ends an answer: what came
        is right as far as it goes, and the client sees that there should be more."""
        assert self._sending is not None, "this is a bug: only what has begun is ended"
        self._parts.put_nowait(None)
        await self._sending
        if last is not None:
            await self._send({"type": "http.response.body", "body": last})
