"""The few steps between ASGI and the routes: read a bounded body, send an answer, notice a client that leaves."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from typing import Any, TypeVar

from model_store.errors import BadInput, TooLarge
from serving.front.byte_budget import ByteBudget

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]
T = TypeVar("T")

# In a scope: when the last byte of the request was received (`time.perf_counter`), once it was.
RECEIVED = "paretoserve.received"
# The status of the answer that its connection was ended with while its body came, if it was.
LAST_ANSWER = "paretoserve.last_answer"


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


async def read_body(headers: dict[bytes, bytes], receive: Receive, max_bytes: int, budget: ByteBudget) -> bytes:
    """The whole body, whose bytes are held of the budget from before they are read; the caller releases them.

    Raises:
        BadInput: its length is no number.
        TooLarge: it is, or says it is, over `max_bytes`.
        Refused: it does not fit into the budget.
        ClientLeft: the client went away before it was complete.
    """
    held = _hold_up_to(whole_number(headers, b"content-length") or 0, 0, max_bytes, budget)
    chunks, size = [], 0
    try:
        while True:
            message = await receive()
            chunks.append(_chunk_of(message))
            size += len(chunks[-1])
            if size > held:  # of a body in chunks nobody knows the length before its end
                held = _hold_up_to(size, held, max_bytes, budget)
            if not message.get("more_body"):
                return b"".join(chunks)
    except BaseException:
        budget.release(held)
        raise


def _chunk_of(message: MutableMapping[str, Any]) -> bytes:
    if message["type"] == "http.disconnect":
        raise ClientLeft
    chunk: bytes = message.get("body", b"")
    return chunk


def _hold_up_to(size: int, held: int, max_bytes: int, budget: ByteBudget) -> int:
    """Hold `size` bytes in all, where `held` are; returns how many are held now."""
    if size > max_bytes:
        raise TooLarge(f"The body is over the limit of {max_bytes} bytes; send less in one request.")
    budget.hold(size - held)
    return size


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
