"""The routes of SageMaker's runtime, as boto3 asks them. Parses nothing that is for the model."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from model_store.errors import TooLarge, UnknownHost
from paretoserve.sagemaker.emulator import errors, event_stream
from paretoserve.sagemaker.emulator.asynchronous import Asynchronous
from paretoserve.sagemaker.emulator.container import Answer
from paretoserve.sagemaker.emulator.description import MAX_BODY_BYTES
from paretoserve.sagemaker.emulator.errors import PlatformError
from paretoserve.sagemaker.emulator.invocation import INVOKE, STREAM, invocation_of
from paretoserve.sagemaker.emulator.runtime import Runtime
from serving.front import asgi
from serving.front.access import Access
from serving.front.byte_budget import ByteBudget
from serving.front.refusals import Refused

log = logging.getLogger("paretoserve.sagemaker")

JSON = "application/json"
# Bodies that are under way at once, bytes.
MAX_BYTES_IN_FLIGHT = 64 * MAX_BODY_BYTES

# Of the container's headers, the client gets these.
_RETURNED = (
    b"x-amzn-sagemaker-custom-attributes",
    b"x-amzn-sagemaker-new-session-id",
    b"x-amzn-sagemaker-closed-session-id",
)
_VARIANT = b"x-amzn-invoked-production-variant"

Headers = list[tuple[bytes, bytes]]
Operation = Callable[[dict[bytes, bytes], bytes, asgi.Send, Headers], Coroutine[Any, Any, None]]


class Front:
    """The operations of one endpoint."""

    def __init__(self, runtime: Runtime, access: Access, asynchronous: Asynchronous | None = None) -> None:
        self.runtime, self._access, self.asynchronous = runtime, access, asynchronous
        self._budget = ByteBudget(MAX_BYTES_IN_FLIGHT)

    async def drain(self) -> None:
        """Take nothing more, and return once all that was taken is answered."""
        await self.runtime.drain()
        if self.asynchronous is not None:
            await self.asynchronous.drain()

    def route(self, operation: Operation) -> "_Raw":
        """An operation as the router wants it: read the request, and answer whatever comes of it."""

        async def handle(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
            headers = asgi.headers_of(scope)
            common = [(b"x-amzn-requestid", str(uuid.uuid4()).encode())]
            try:
                await self._operate(operation, scope, headers, receive, send, common)
            except asgi.ClientLeft:
                return
            except PlatformError as exc:
                await _refuse(send, exc, common)
            except Exception:
                log.exception("an invocation failed in the emulator")
                await _refuse(send, errors.internal_failure(), common)

        return _Raw(handle)

    async def _operate(
        self,
        operation: Operation,
        scope: asgi.Scope,
        headers: dict[bytes, bytes],
        receive: asgi.Receive,
        send: asgi.Send,
        common: Headers,
    ) -> None:
        try:
            self._access.check(scope, headers)
            self.runtime.check(scope["path_params"]["name"])
            with self.runtime.admitted():
                body = await asgi.read_body(headers, receive, MAX_BODY_BYTES, self._budget)
                try:
                    await asgi.unless_client_leaves(operation(headers, body, send, common), receive)
                finally:
                    self._budget.release(len(body))
        except UnknownHost as exc:
            raise PlatformError(403, "AccessDeniedException", msgspec.json.encode({"Message": str(exc)})) from exc
        except TooLarge as exc:
            raise errors.validation_error(str(exc)) from exc
        except Refused as exc:
            raise errors.throttled() from exc

    async def invoke(self, headers: dict[bytes, bytes], body: bytes, send: asgi.Send, common: Headers) -> None:
        invocation = invocation_of(self.runtime.endpoint, headers, body, INVOKE)
        variant, answer, content = await self.runtime.answered(invocation)
        extra = [*common, *_returned(variant, answer)]
        await asgi.respond(send, 200, content, asgi.text_header(answer.headers, b"content-type"), extra)

    async def stream(self, headers: dict[bytes, bytes], body: bytes, send: asgi.Send, common: Headers) -> None:
        invocation = invocation_of(self.runtime.endpoint, headers, body, STREAM)
        has_begun = False
        try:
            async with self.runtime.invoked(invocation) as (variant, answer):
                await send(_stream_start(variant, answer, common))
                has_begun = True
                async for part in answer.parts():
                    await send(_more(event_stream.part(part)))
        except PlatformError as exc:
            if not has_begun:
                raise
            told = msgspec.json.decode(exc.body, type=dict[str, str | int])
            code = "ModelInvocationTimeExceeded" if isinstance(exc.__cause__, TimeoutError) else "StreamBroken"
            await send(_more(event_stream.model_stream_error(str(told["Message"]), code)))
        await send({"type": "http.response.body", "body": b""})

    async def invoke_async(self, headers: dict[bytes, bytes], body: bytes, send: asgi.Send, common: Headers) -> None:
        if self.asynchronous is None:
            raise errors.validation_error(
                f"Endpoint {self.runtime.endpoint.name} is not asynchronous; give --async-output s3://BUCKET/PREFIX."
            )
        job = self.asynchronous.accept(headers, body)
        common.append((b"x-amzn-sagemaker-outputlocation", job.output.encode()))
        if job.failure:
            common.append((b"x-amzn-sagemaker-failurelocation", job.failure.encode()))
        await asgi.respond(send, 202, msgspec.json.encode({"InferenceId": job.id}), JSON, common)

    async def ping(self, request: Request) -> Response:
        """The emulator's own: 200 from when the endpoint is in service."""
        status = 200 if self.runtime.in_service and not self.runtime.draining else 503
        return Response(msgspec.json.encode({"in_service": status == 200}), status, media_type=JSON)

    async def describe(self, request: Request) -> Response:
        """The emulator's own: the endpoint, and how often each of its variants was asked."""
        runtime = self.runtime
        counts = {"invocations": runtime.invocations, "shadow": runtime.shadow.counts}
        return Response(msgspec.json.encode({"endpoint": runtime.endpoint, **counts}), media_type=JSON)


class _Raw:
    """An ASGI function as Starlette's router wants it."""

    def __init__(self, function: Callable[[asgi.Scope, asgi.Receive, asgi.Send], Awaitable[None]]) -> None:
        self._function = function

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        await self._function(scope, receive, send)


def make_app(front: Front) -> Starlette:
    """The ASGI application; while it runs, it asks whether the container is ready."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        waiting = asyncio.create_task(front.runtime.wait_for_service())
        try:
            yield
        finally:
            waiting.cancel()
            front.runtime.container.close()

    at = "/endpoints/{name}"
    operations = {
        f"{at}/invocations": front.invoke,
        f"{at}/invocations-response-stream": front.stream,
        f"{at}/async-invocations": front.invoke_async,
    }
    routes = [Route(path, front.route(operation), methods=["POST"]) for path, operation in operations.items()]
    routes += [Route("/ping", front.ping), Route("/endpoints", front.describe)]
    app = Starlette(lifespan=lifespan, routes=routes, exception_handlers={HTTPException: _unknown_operation})
    app.router.redirect_slashes = False
    return app


async def _unknown_operation(request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 404
    body = msgspec.json.encode({"Message": "SageMaker's runtime has no such operation."})
    return Response(body, status, {"x-amzn-errortype": "UnknownOperationException"}, JSON)


async def _refuse(send: asgi.Send, error: PlatformError, common: Headers) -> None:
    extra = [*common, (b"x-amzn-errortype", error.name.encode())]
    await asgi.respond(send, error.status, error.body, JSON, extra)


def _returned(variant: str, answer: Answer) -> Headers:
    kept = [(name, answer.headers[name]) for name in _RETURNED if name in answer.headers]
    return [(_VARIANT, variant.encode()), *kept]


def _stream_start(variant: str, answer: Answer, common: Headers) -> dict[str, object]:
    types = [(b"content-type", event_stream.CONTENT_TYPE.encode())]
    if b"content-type" in answer.headers:
        types.append((b"x-amzn-sagemaker-content-type", answer.headers[b"content-type"]))
    return {"type": "http.response.start", "status": 200, "headers": [*types, *_returned(variant, answer), *common]}


def _more(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
