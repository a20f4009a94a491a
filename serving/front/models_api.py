"""SageMaker's API of multi-model containers: load, list, describe, unload and invoke models.

The calls are those of SageMaker's guide ("Contract for custom containers for multi-model endpoints"); bodies of errors
are such as Multi Model Server and TorchServe give.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from model_store.errors import BadInput
from serving.front import asgi
from serving.front.byte_budget import ByteBudget
from serving.front.models import Model, Models

PATH = "/models"
JSON = "application/json"

# Models on a page, unless the caller wants fewer.
PAGE = 100

# Of a body that says what to load.
MOST_BYTES = 64 * 1024

# What our errors are called there, by status.
TYPES = {
    400: "BadRequestException",
    401: "UnauthorizedException",
    404: "ModelNotFoundException",
    405: "MethodNotAllowedException",
    409: "ConflictStatusException",
    413: "RequestEntityTooLargeException",
    429: "ServiceUnavailableException",
    503: "ServiceUnavailableException",
    507: "InsufficientMemoryException",
}
_OTHER_TYPE = "InternalServerException"


class ToLoad(msgspec.Struct):
    """What is to be loaded: under which name, from the folder that its archive was unpacked into."""

    model_name: str
    url: str


_to_load = msgspec.json.Decoder(ToLoad)


class ModelsApi:
    """The routes over a server's models. Errors are of the one tree; `in_their_words` tells them as callers expect."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def load(self, request: Request) -> Response:
        try:
            headers = asgi.headers_of(request.scope)
            body = await asgi.read_body(headers, request.receive, MOST_BYTES, ByteBudget())
        except asgi.ClientLeft:
            return Response(status_code=400)  # which nobody reads
        try:
            told = _to_load.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise BadInput(f'The body must be {{"model_name": "...", "url": "..."}}: {exc}.') from exc
        await self._models.load(told.model_name, told.url)
        return _json({"status": f"Model {told.model_name} is loaded."})

    async def list(self, request: Request) -> Response:
        limit = _limit(request.query_params.get("limit"))
        shown, last = self._models.page(_name_in(request.query_params.get("next_page_token", "")), limit)
        answer: dict[str, Any] = {"models": [_described(model) for model in shown]}
        return _json(answer | ({"nextPageToken": _token(last)} if last else {}))

    async def get(self, request: Request) -> Response:
        return _json(_described(self._models.get(request.path_params["name"])))

    async def unload(self, request: Request) -> Response:
        name = request.path_params["name"]
        await self._models.unload(name)
        return _json({"status": f"Model {name} is unloaded."})


def _described(model: Model) -> dict[str, str]:
    return {"modelName": model.name, "modelUrl": model.url}


def _limit(text: str | None) -> int:
    if text is None:
        return PAGE
    if not text.isdecimal() or not 1 <= int(text[:6]) <= PAGE:
        raise BadInput(f'"limit" must be a whole number from 1 to {PAGE}.')
    return int(text)


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name_in(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as exc:
        raise BadInput('"next_page_token" must be the nextPageToken of an answer.') from exc


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type=JSON)


def in_their_words(send: asgi.Send) -> Callable[[MutableMapping[str, Any]], Awaitable[None]]:
    """Sends answers as they come, and those of errors with `{"code", "type", "message"}` as their bodies."""
    failed: list[MutableMapping[str, Any]] = []

    async def tell(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            failed.append(message)
        elif failed:
            start = failed.pop()
            body = _their_body(start["status"], message.get("body", b""))
            headers = [pair for pair in start["headers"] if pair[0] not in (b"content-length", b"content-type")]
            headers += [(b"content-type", JSON.encode()), (b"content-length", str(len(body)).encode())]
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        else:
            await send(message)

    return tell


def _their_body(status: int, body: bytes) -> bytes:
    try:
        message = str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        message = "The request failed."
    told = {"code": status, "type": TYPES.get(status, _OTHER_TYPE), "message": message}
    return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"
