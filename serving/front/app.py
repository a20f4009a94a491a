"""The routes: SageMaker's, the Open Inference Protocol's, and our own. Parses no model input."""

import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.payloads.v2 import VERSION
from model_store.errors import NotReady, ParetoServeError, Unauthorized, UnknownHost
from serving.cpu_plan import usable_cores
from serving.front import asgi, models_api, openapi
from serving.front.access import access_of
from serving.front.byte_budget import ByteBudget
from serving.front.exchange import identity_of
from serving.front.http_errors import BUG, error_body, retry_after, status_of
from serving.front.inference import Inference
from serving.front.metrics import Metrics
from serving.front.models import Models
from serving.front.open_inference import MODELS, Descriptions
from serving.front.repository import Repository
from serving.front.request_log import RequestLog
from serving.front.sagemaker_variables import execution_parameters
from serving.front.settings import Settings
from serving.headers import ALL_TRAFFIC, TARGET_VARIANT

if TYPE_CHECKING:
    from serving.front.spans import Spans

JSON = "application/json"
_TARGET_VARIANT = TARGET_VARIANT.lower().encode()
# Names that a URL spells in another way are left to the router.
_INFER = re.compile(rb"/v2/models/([\w.@-]+)(?:/versions/%s)?/infer" % VERSION.encode())
_WANTS_A_KEY = (b"www-authenticate", b'Bearer realm="paretoserve"')


class Front:
    """The routes over a repository of variants; with `models` over those of a multi-model endpoint."""

    def __init__(
        self,
        repository: Repository,
        settings: Settings,
        metrics: Metrics,
        spans: "Spans | None" = None,
        models: Models | None = None,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.metrics = metrics
        self.models = models
        self.access = access_of(settings)
        self.request_log = RequestLog()
        budget = ByteBudget(settings.max_bytes_in_flight or math.inf)
        find = models.find if models else repository.find
        self._inference = Inference(find, settings.max_body_bytes, metrics, self.request_log, spans, budget)

    @property
    def ready(self) -> bool:
        """Of many models each may fail alone: the server is there for the others."""
        return not self.models.is_draining if self.models else all(variant.ready for variant in self.repository)

    async def invocations(
        self, scope: asgi.Scope, headers: dict[bytes, bytes], receive: asgi.Receive, send: asgi.Send
    ) -> None:
        name = self._targeted(asgi.text_header(headers, _TARGET_VARIANT))
        await self._inference.handle(scope, headers, receive, send, name, "invocations")

    def _targeted(self, target: str) -> str:
        """The variant that SageMaker's header asks for: a platform may name its production variant, which is not ours.

        So one that is alone answers whatever the header says.
        """
        if self.models:
            return target  # none is there for requests that name none
        if not target or self.repository.has_had_one:
            return self.repository.default
        is_a_name = target != ALL_TRAFFIC or any(variant.name == target for variant in self.repository)
        return target if is_a_name else self.repository.default

    async def invoke(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        name = scope["path_params"]["name"]
        await self._inference.handle(scope, asgi.headers_of(scope), receive, send, name, "invocations")

    async def infer(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        asked = scope["path_params"]
        version = asked.get("version", VERSION)
        await self._inference.handle(scope, asgi.headers_of(scope), receive, send, asked["name"], "v2", version)

    def refuse_early(self, url: bytes, given: list[tuple[bytes, bytes]], is_last: Callable[[], bool]) -> bytes | None:
        """The answer to a POST whose variant has no room for it, known before its body is read; None for all others."""
        if not self.request_log.has_refused:
            return None  # looking at each request would cost those that are answered
        named = _INFER.fullmatch(url)
        if url != b"/invocations" and not named:
            return None
        headers = dict(given)
        try:
            self.access.check({"path": url.decode("latin-1")}, headers)
        except (UnknownHost, Unauthorized):
            return None
        if named:
            return self._inference.refuse_early(headers, named[1].decode(), "v2", is_last)
        name = self._targeted(asgi.text_header(headers, _TARGET_VARIANT))
        return self._inference.refuse_early(headers, name, "invocations", is_last)

    async def ping(self, request: Request) -> Response:
        """200 once every variant is loaded, warm and agrees with its golden inputs; else 503 and which is not.

        Of a multi-model endpoint 200 until it drains.
        """
        waiting = [variant.name for variant in self.repository if not variant.ready]
        return _json({"ready": self.ready, "not_ready": waiting}, 200 if self.ready else 503)

    async def execution_parameters(self, request: Request) -> Response:
        """What a batch transform job of SageMaker's should send at a time."""
        calls = self.settings.workers * (self.settings.streams or len(usable_cores()))
        return _json(execution_parameters(self.settings.max_body_bytes, calls))

    async def describe(self, request: Request) -> Response:
        described = [variant.describe() for variant in self.repository]
        for one in described:
            one.pop("v2", None)
        return _json({"default": self.repository.default, "variants": described})

    async def expose_metrics(self, request: Request) -> Response:
        return Response(generate_latest(self.metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST})

    async def describe_itself(self, request: Request) -> Response:
        return _json(openapi.document(self.settings, self.repository.default))


class _Raw:
    """An ASGI function as Starlette's router wants it, so that the hot path builds no Request and no Response."""

    def __init__(self, function: Callable[[asgi.Scope, asgi.Receive, asgi.Send], Awaitable[None]]) -> None:
        self._function = function

    async def __call__(self, scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        await self._function(scope, receive, send)


def make_app(front: Front) -> asgi.App:
    """The ASGI application; while it runs, so do the repository's variants."""
    router = _router(front)

    async def app(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] != "http":
            await router(scope, receive, send)
            return
        headers = asgi.headers_of(scope)
        if front.models and scope["path"].startswith(models_api.PATH):
            send = models_api.in_their_words(send)
        try:
            front.access.check(scope, headers)
        except (UnknownHost, Unauthorized) as exc:
            await _refuse(front, exc, headers, send)
            return
        # The one path that nearly all requests take need not pass the router and three layers of middleware.
        if scope["path"] == "/invocations" and scope["method"] == "POST":
            await front.invocations(scope, headers, receive, send)
        else:
            await router(scope, receive, send)

    return app


async def _refuse(front: Front, error: ParetoServeError, headers: dict[bytes, bytes], send: asgi.Send) -> None:
    """Answer a request that may ask nothing; it is counted, and its body is not read."""
    name = type(error).__name__
    extra = identity_of(headers).echoed() + [_WANTS_A_KEY] * isinstance(error, Unauthorized)
    front.metrics.answered_for_no_variant(status_of(name))
    await asgi.respond(send, status_of(name), error_body(str(error), name), JSON, extra)


def _router(front: Front) -> Starlette:

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        front.repository.start()
        try:
            yield
        finally:
            await front.repository.stop()
            front.request_log.close()

    handlers = {ParetoServeError: _our_error, HTTPException: _http_exception, Exception: _internal_error}
    app = Starlette(lifespan=lifespan, routes=routes_of(front), exception_handlers=handlers)
    # Where to is read from a Host header, which may be anything.
    app.router.redirect_slashes = False
    return app


def routes_of(front: Front) -> list[Route]:
    """What is answered; `serving.front.openapi` describes each."""

    async def invocations(scope: asgi.Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        await front.invocations(scope, asgi.headers_of(scope), receive, send)

    routes = [
        Route("/invocations", _Raw(invocations), methods=["POST"]),
        Route("/ping", front.ping, methods=["GET", "POST"]),
        *Descriptions(front.repository, lambda: front.ready).routes(),
        *(Route(f"{model}/infer", _Raw(front.infer), methods=["POST"]) for model in MODELS),
        Route("/variants", front.describe),
        Route("/metrics", front.expose_metrics),
        Route("/execution-parameters", front.execution_parameters),
        Route(openapi.PATH, front.describe_itself),
    ]
    return routes + (_routes_of_models(front, front.models) if front.models else [])


def _routes_of_models(front: Front, models: Models) -> list[Route]:
    api, path = models_api.ModelsApi(models), models_api.PATH
    return [
        Route(path, api.load, methods=["POST"]),
        Route(path, api.list),
        Route(f"{path}/{{name}}", api.get),
        Route(f"{path}/{{name}}", api.unload, methods=["DELETE"]),
        Route(f"{path}/{{name}}/invoke", _Raw(front.invoke), methods=["POST"]),
    ]


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type=JSON)


async def _our_error(request: Request, exc: Exception) -> Response:
    name = type(exc).__name__
    waits = {"retry-after": retry_after(exc.retry_after_s).decode()} if isinstance(exc, NotReady) else None
    return Response(error_body(str(exc), name), status_of(name), waits, JSON)


async def _http_exception(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException), "this is a bug: registered for HTTPException"
    # Not `request.url`, which is made of a Host header that may be anything.
    message = f"{request.method} {request.scope['path']}: {exc.detail}."
    response = Response(error_body(message, "HTTPError"), exc.status_code, exc.headers, JSON)
    # Also where an inference route is asked with a method that it does not take.
    response.raw_headers += identity_of(asgi.headers_of(request.scope)).echoed()
    return response


async def _internal_error(request: Request, exc: Exception) -> Response:
    return Response(BUG, 500, media_type=JSON)
