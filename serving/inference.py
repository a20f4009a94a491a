"""The route that does the work: from an HTTP request to a variant's reply, for `/invocations` and for V2."""

import math
import time
import uuid

from handlers.handler import Protocol, RawRequest
from model_store.errors import NotReady, Overloaded, ParetoServeError
from serving import asgi
from serving.http_errors import error_body, retry_after, status_of
from serving.variant import ServedVariant
from serving.wire import Reply

JSON = "application/json"


async def answer_inference(
    scope: asgi.Scope,
    receive: asgi.Receive,
    send: asgi.Send,
    variant: ServedVariant,
    protocol: Protocol,
    max_body_bytes: int,
) -> None:
    """Read the request, ask the variant, send the answer. Every outcome is counted once."""
    arrived = time.perf_counter()
    headers = asgi.headers_of(scope)
    request_id = headers.get(b"x-request-id") or uuid.uuid4().hex.encode()
    extra: list[tuple[bytes, bytes]] = [(b"x-request-id", request_id[:128])]
    try:
        request = await _read(headers, receive, protocol, max_body_bytes)
        reply = await asgi.unless_client_leaves(variant.ask(request, _timeout_s(headers)), receive)
        status, body, content_type = _unpack(variant, reply, extra)
    except asgi.ClientLeft:
        variant.metrics.answered(499, time.perf_counter() - arrived)
        return
    except ParetoServeError as exc:
        status, body, content_type = _refuse(exc, extra)
    except Exception:
        variant.metrics.answered(500, time.perf_counter() - arrived)
        raise
    variant.metrics.answered(status, time.perf_counter() - arrived)
    await asgi.respond(send, status, body, content_type, extra)


async def _read(
    headers: dict[bytes, bytes], receive: asgi.Receive, protocol: Protocol, max_body_bytes: int
) -> RawRequest:
    body = await asgi.read_body(headers, receive, max_body_bytes)
    return RawRequest(
        body,
        asgi.text_header(headers, b"content-type"),
        asgi.text_header(headers, b"accept"),
        protocol,
        asgi.whole_number(headers, b"inference-header-content-length"),
    )


def _timeout_s(headers: dict[bytes, bytes]) -> float:
    """The client's own deadline, from `X-Request-Timeout-Ms`; none where it states none."""
    milliseconds = asgi.whole_number(headers, b"x-request-timeout-ms")
    return math.inf if milliseconds is None else milliseconds / 1000


def _unpack(variant: ServedVariant, reply: Reply, extra: list[tuple[bytes, bytes]]) -> tuple[int, bytes, str]:
    timings, metrics = reply.timings, variant.metrics
    parts = (("queue", timings.queue_s), ("tokenize", timings.tokenize_s), ("infer", timings.infer_s))
    extra.append((b"server-timing", ", ".join(f"{name};dur={s * 1000:.3f}" for name, s in parts).encode()))
    if reply.error:
        if reply.retry_after_s:
            extra.append((b"retry-after", retry_after(reply.retry_after_s)))
        return status_of(reply.error), error_body(reply.message, reply.error), JSON
    metrics.queue_duration.observe(timings.queue_s)
    metrics.tokenize_duration.observe(timings.tokenize_s)
    extra.append((b"x-amzn-invoked-production-variant", variant.name.encode()))
    if reply.truncated:
        extra.append((b"x-paretoserve-truncated", ",".join(map(str, reply.truncated)).encode()))
    if reply.json_length is not None:
        extra.append((b"inference-header-content-length", str(reply.json_length).encode()))
    return 200, reply.body, reply.content_type


def _refuse(error: ParetoServeError, extra: list[tuple[bytes, bytes]]) -> tuple[int, bytes, str]:
    name = type(error).__name__
    if isinstance(error, Overloaded | NotReady):
        extra.append((b"retry-after", retry_after(error.retry_after_s)))
    return status_of(name), error_body(str(error), name), JSON
