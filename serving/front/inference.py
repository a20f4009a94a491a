"""The route that does the work: from an HTTP request to a variant's reply, for `/invocations` and for V2."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlers.payloads.content_encoding import encoding_wanted, pack
from handlers.payloads.request import Protocol, RawRequest
from handlers.payloads.v2 import VERSION
from model_store.errors import NotReady, Overloaded, ParetoServeError, UnknownVariant
from serving.front import asgi
from serving.front.byte_budget import ByteBudget
from serving.front.exchange import Exchange, identity_of
from serving.front.http_errors import BUG, error_body, retry_after, status_of
from serving.front.metrics import Metrics
from serving.front.open_inference import check_version
from serving.front.own_headers import for_own_code, of_own_code, status_of_own_code
from serving.front.parted_send import PartedSend, accept_of, wants_parts
from serving.front.raw_answer import CLOSE, HTTP_ERROR, raw_answer
from serving.front.refusals import Refusal, Refused
from serving.front.request_log import RequestLog
from serving.front.server_timing import server_timing
from serving.front.variant import ServedVariant
from serving.wire.messages import Reply

if TYPE_CHECKING:
    from serving.front.spans import Spans

JSON = "application/json"

# From how many bytes on answers are packed, and up to how many on the event loop itself.
PACKED_FROM_BYTES, PACKED_HERE_BYTES = 1024, 64 * 1024

# The status that is counted for a client that left; nothing is sent to it.
CLIENT_LEFT = 499

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Inference:
    """What all inference requests share: where their variant is found, and where they are counted and logged.

    `spans` is None where nobody asked for traces.
    """

    find: Callable[[str], ServedVariant]
    max_body_bytes: int
    metrics: Metrics
    request_log: RequestLog
    spans: "Spans | None" = None
    budget: ByteBudget = field(default_factory=ByteBudget)

    async def handle(
        self,
        scope: asgi.Scope,
        headers: dict[bytes, bytes],
        receive: asgi.Receive,
        send: asgi.Send,
        name: str,
        protocol: Protocol,
        version: str = VERSION,
    ) -> None:
        """Read the request, ask the variant of this name, send the answer. Every outcome is counted and logged once."""
        exchange = Exchange(identity_of(headers), protocol, time.perf_counter())
        extra = exchange.identity.echoed()
        variant, answer, parts = None, None, None
        try:
            variant = self.find(name)
            check_version(variant, version)
            if protocol == "invocations" and wants_parts(scope, headers):
                parts = PartedSend(send, [*extra, (b"x-amzn-invoked-production-variant", variant.name.encode())])
            reply = await self._ask(variant, exchange, scope, headers, receive, parts)
            answer = _unpack(variant, reply, exchange, extra)
            if protocol == "v2" and exchange.status == 200:
                answer = await _packed(*answer, headers, extra)
        except asgi.ClientLeft:
            # Or it was made to leave: its body broke a bound, and the connection has had its last answer.
            exchange.status = scope.get(asgi.LAST_ANSWER, CLIENT_LEFT)
            exchange.error = asgi.ClientLeft.__name__ if exchange.status == CLIENT_LEFT else HTTP_ERROR
        except Refused as exc:
            exchange.refusal = exc.reason
            answer = _error(exc.error, exchange, extra)
        except ParetoServeError as exc:
            answer = _error(exc, exchange, extra)
        except Exception as exc:  # noqa: BLE001  whatever it is, it is logged and answered
            answer = _internal_error(exc, exchange)
        exchange.duration_s = time.perf_counter() - exchange.arrived
        # In the next turn of the event loop: in this one the answer leaves.
        asyncio.get_running_loop().call_soon(self._record, exchange, variant)
        if parts and parts.has_begun:
            await parts.end(answer[0] if answer and exchange.status == 200 else None)
        elif answer is not None:
            await asgi.respond(send, exchange.status, *answer, extra)

    def _record(self, exchange: Exchange, variant: ServedVariant | None) -> None:
        if variant is None:
            self.metrics.answered_for_no_variant(exchange.status)
        else:
            variant.metrics.answered(exchange.status, exchange.duration_s)
            if exchange.refusal:
                variant.metrics.refused(exchange.refusal)
            if exchange.status == 200:
                variant.metrics.queue_duration.observe(exchange.timings.queue_s)
                variant.metrics.tokenize_duration.observe(exchange.timings.tokenize_s)
        self.request_log.record(exchange)
        if self.spans is not None:
            self.spans.record(exchange)

    async def _ask(
        self,
        variant: ServedVariant,
        exchange: Exchange,
        scope: asgi.Scope,
        headers: dict[bytes, bytes],
        receive: asgi.Receive,
        parts: PartedSend | None,
    ) -> Reply:
        exchange.variant, exchange.backend = variant.name, variant.backend
        body = await asgi.read_body(headers, receive, self.max_body_bytes, self.budget)
        try:
            request = _request(body, headers, exchange.protocol)
            timeout_s = _timeout_s(headers)
            exchange.asked = time.perf_counter()
            exchange.received = scope.get(asgi.RECEIVED, exchange.asked)
            asking = variant.ask(request, timeout_s, parts.on_part if parts else None)
            return await asgi.unless_client_leaves(asking, receive)
        finally:
            self.budget.release(len(body))

    def refuse_early(
        self, headers: dict[bytes, bytes], name: str, protocol: Protocol, is_last: Callable[[], bool]
    ) -> bytes | None:
        """The whole answer to a request that its variant, or the budget of bytes, has no room for; None where it is to
        be read. Read first, each that is refused would take what comes with one read of its connection.

        Counted and logged as every outcome. `is_last`: whether the connection ends with it.
        """
        try:
            variant = self.find(name)
        except UnknownVariant:
            return None
        refused = variant.refusal() or self._refusal_of(int(headers.get(b"content-length", 0)))
        if refused is None:
            return None
        exchange = Exchange(identity_of(headers), protocol, time.perf_counter())
        exchange.variant, exchange.backend, exchange.refusal = variant.name, variant.backend, refused.reason
        extra = exchange.identity.echoed()
        body, _ = _error(refused.error, exchange, extra)
        self._record(exchange, variant)
        return raw_answer(exchange.status, body, [*extra, CLOSE] if is_last() else extra)

    def _refusal_of(self, length: int) -> Refused | None:
        """Of a body of this length. One that is too large has another answer."""
        return self.budget.refusal(length) if length <= self.max_body_bytes else None


def _request(body: bytes, headers: dict[bytes, bytes], protocol: Protocol) -> RawRequest:
    return RawRequest(
        body,
        asgi.text_header(headers, b"content-type"),
        accept_of(headers),
        protocol,
        asgi.whole_number(headers, b"inference-header-content-length"),
        asgi.text_header(headers, b"content-encoding"),
        for_own_code(headers),
    )


def _timeout_s(headers: dict[bytes, bytes]) -> float:
    """The client's own deadline, from `X-Request-Timeout-Ms`; none where it states none."""
    milliseconds = asgi.whole_number(headers, b"x-request-timeout-ms")
    return math.inf if milliseconds is None else milliseconds / 1000


def _unpack(variant: ServedVariant, reply: Reply, exchange: Exchange, extra: Headers) -> tuple[bytes, str]:
    exchange.timings, exchange.tokens = reply.timings, reply.tokens
    total_s = time.perf_counter() - exchange.received
    extra.append((b"server-timing", server_timing(reply.timings, total_s)))
    if reply.error:
        return _worker_error(reply, exchange, extra)
    exchange.status = status_of_own_code(reply.status) or 200
    extra += of_own_code(reply.headers)
    extra.append((b"x-amzn-invoked-production-variant", variant.name.encode()))
    if reply.truncated:
        extra.append((b"x-paretoserve-truncated", ",".join(map(str, reply.truncated)).encode()))
    if reply.json_length is not None:
        extra.append((b"inference-header-content-length", str(reply.json_length).encode()))
    return reply.body, reply.content_type


async def _packed(body: bytes, kind: str, headers: dict[bytes, bytes], extra: Headers) -> tuple[bytes, str]:
    """An answer of V2, packed where its client wants that. One as small as most are would hardly be smaller."""
    if len(body) < PACKED_FROM_BYTES or b"accept-encoding" not in headers:
        return body, kind
    encoding = encoding_wanted(asgi.text_header(headers, b"accept-encoding"))
    if not encoding:
        return body, kind
    extra.append((b"content-encoding", encoding.encode()))
    # One for thousands of texts would keep all others waiting.
    far = len(body) > PACKED_HERE_BYTES
    return await asyncio.to_thread(pack, body, encoding) if far else pack(body, encoding), kind


def _worker_error(reply: Reply, exchange: Exchange, extra: Headers) -> tuple[bytes, str]:
    """An error that the worker met."""
    exchange.status = status_of_own_code(reply.status) or status_of(reply.error)
    exchange.error = reply.error
    if reply.error == Overloaded.__name__:
        exchange.refusal = Refusal.QUEUE_DEADLINE  # the gate had let it in
    if reply.retry_after_s:
        extra.append((b"retry-after", retry_after(reply.retry_after_s)))
    return error_body(reply.message, reply.error), JSON


def _error(error: ParetoServeError, exchange: Exchange, extra: Headers) -> tuple[bytes, str]:
    """An error that the front met."""
    name = type(error).__name__
    exchange.status, exchange.error = status_of(name), name
    if isinstance(error, Overloaded | NotReady):
        extra.append((b"retry-after", retry_after(error.retry_after_s)))
    return error_body(str(error), name), JSON


def _internal_error(error: Exception, exchange: Exchange) -> tuple[bytes, str]:
    """A bug of ParetoServe; its exception is for the log only."""
    exchange.status, exchange.error, exchange.fault = 500, type(error).__name__, error
    return BUG, JSON
