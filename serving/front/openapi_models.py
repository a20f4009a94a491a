"""The part of `/openapi.json` that is about the models of a multi-model endpoint."""

from http import HTTPStatus
from typing import Any

from serving.front.models_api import PAGE, PATH, TYPES

Json = dict[str, Any]

_TEXT: Json = {"type": "string"}
_MODEL: Json = {"type": "object", "properties": {"modelName": _TEXT, "modelUrl": _TEXT}}
_STATUS: Json = {"type": "object", "properties": {"status": _TEXT}}
_PAGE: Json = {
    "type": "object",
    "properties": {"models": {"type": "array", "items": _MODEL}, "nextPageToken": _TEXT},
    "required": ["models"],
}
_TO_LOAD: Json = {
    "type": "object",
    "properties": {"model_name": _TEXT, "url": _TEXT},
    "required": ["model_name", "url"],
}
_ERROR: Json = {"type": "object", "properties": {"code": {"type": "integer"}, "type": _TEXT, "message": _TEXT}}
_NAME: Json = {"name": "name", "in": "path", "required": True, "schema": _TEXT}
_QUERY: list[Json] = [
    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": PAGE}},
    {"name": "next_page_token", "in": "query", "schema": _TEXT},
]


def paths() -> Json:
    """The routes of `serving.front.models_api`, by path and method."""
    load = _described("load", "Load a model.", _STATUS, (400, 404, 409, 413, 503, 507)) | {
        "requestBody": _body(_TO_LOAD)
    }
    invoke = _described("invoke", "Ask a model for its answer.", {}, (400, 404, 413, 429, 503), _NAME)
    return {
        PATH: {
            "get": _described("list", "The models that are loaded.", _PAGE, (400,), *_QUERY),
            "post": load | {"requestBody": _body(_TO_LOAD)},
        },
        f"{PATH}/{{name}}": {
            "get": _described("get", "A model that is loaded.", _MODEL, (404,), _NAME),
            "delete": _described("unload", "Unload a model.", _STATUS, (404,), _NAME),
        },
        f"{PATH}/{{name}}/invoke": {"post": invoke | {"requestBody": _body({})}},
    }


def _described(call: str, summary: str, answer: Json, statuses: tuple[int, ...], *parameters: Json) -> Json:
    failed = {
        str(status): {"description": TYPES.get(status, HTTPStatus(status).phrase), "content": _json(_ERROR)}
        for status in (*statuses, 401, 500)
    }
    responses = {"200": {"description": "The answer.", "content": _json(answer)}, **failed}
    return {"operationId": f"models_{call}", "summary": summary, "parameters": [*parameters], "responses": responses}


def _body(schema: Json) -> Json:
    return {"required": True, "content": _json(schema)}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}
