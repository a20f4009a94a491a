"""The few steps between ASGI and the routes: read a bounded body, send an answer, notice a client that leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any, TypeVar

from model_store.errors import BadInput, TooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
T = TypeVar("T")


class ClientLeft(Exception):
    """The client closed its connection; there is nobody to answer."""


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Headers by lower-case name; the last one wins where a name is repeated."""
    return dict(scope["headers"])


def text_header(headers: dict[bytes, bytes], name: bytes) -> str:
    return headers.get(name, b"").decode("latin-1")


def whole_number(headers: dict[bytes, bytes], name: bytes) -> int | None:
    """The number in a header, None where there is no such header; raises BadInput."""
    raw = headers.get(name)
    if raw is None:
        return None
    # Longer numbers fit neither the wire to a worker nor a time.
    if not raw.isdigit() or len(raw) > 18:
        raise BadInput(f"The header {name.decode().title()} must be a whole number of at most 18 digits.")
    return int(raw)


async def read_body(headers: dict[bytes, bytes], receive: Receive, max_bytes: int) -> bytes:
    """The whole body.

    Raises:
        BadInput: its length is no number.
        TooLarge: it is, or says it is, over `max_bytes`.
        ClientLeft: the client went away before it was complete.
    """
    too_large = TooLarge(f"The body is over the limit of {max_bytes} bytes; send less in one request.")
    if (whole_number(headers, b"content-length") or 0) > max_bytes:
        raise too_large
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


async def unless_client_leaves(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """Await `work`; if the client closes its connection first, cancel it.

    Raises:
        ClientLeft: it did.
    """
    task = asyncio.current_task()
    assert task is not None, "this is a bug: requests are answered in tasks"
    left = asyncio.ensure_future(receive())  # after the body, the next message is http.disconnect

    def cancel(_: object) -> None:
        task.cancel()

    left.add_done_callback(cancel)
    try:
        # In this very task: an answer through another one would come some turns of the event loop later.
        return await work
    except asyncio.CancelledError as exc:
        if not left.done():
            raise
        task.uncancel()
        raise ClientLeft from exc
    finally:
        left.remove_done_callback(cancel)
        left.cancel()


async def respond(send: Send, status: int, body: bytes, content_type: str, headers: Headers = ()) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type.encode("latin-1")),
                (b"content-length", str(len(body)).encode()),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
