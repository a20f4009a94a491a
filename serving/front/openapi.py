"""`/openapi.json`: the interface described by itself, in OpenAPI 3.1, from the types and tables that the code has.

An example of a request or of a header may say with `x-status` what it is answered with; without it that is 200.
"""

import inspect
import re
from dataclasses import dataclass, replace
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST

from handlers.payloads.codecs import CSV, JSON, JSON_LINES
from handlers.payloads.v2 import VERSION, InferBody
from model_store import errors
from serving.front import openapi_examples as examples
from serving.front import openapi_models
from serving.front import openapi_types as types
from serving.front.access import HEALTH
from serving.front.http_errors import STATUS, status_of
from serving.front.open_inference import MODELS
from serving.front.server_timing import MEANINGS
from serving.front.settings import Settings
from serving.headers import ALL_TRAFFIC, TARGET_VARIANT

Json = dict[str, Any]

PATH = "/openapi.json"
OCTETS = "application/octet-stream"
_METHOD_NOT_ALLOWED = 405
# What only loading a model is answered with.
_OF_MODELS = ("AlreadyLoaded", "NoMemory")


@dataclass(frozen=True, slots=True)
class Operation:
    """A route: what it is for, and the type of its answer; None where that is no JSON of a type of ours.

    `not_ready` says that a 503 has the same body as a 200, `loads` that what is asked may not be known yet.
    """

    path: str
    summary: str
    answer: Any = None
    method: str = "get"
    not_ready: bool = False
    loads: bool = False

    @property
    def name(self) -> str:
        words = re.findall(r"\w+", re.sub(r"\{\w+\}", "", self.path))
        return "_".join((self.method, *words, *(["root"] if self.path.endswith("/") else [])))


def _of_models() -> "list[Operation]":
    """What is told of a variant, asked by its name, or by its name and version."""
    told = [
        Operation("", "The tensors of a variant.", types.ModelMetadata, loads=True),
        Operation("/ready", "Whether a variant is ready.", types.ModelReady, not_ready=True),
        Operation("/config", "The same as a model's configuration.", types.ModelConfiguration, loads=True),
    ]
    return [replace(one, path=model + one.path) for model in MODELS for one in told]


INVOCATIONS = Operation("/invocations", "Ask a variant for its answer.", types.Answer, "post")
INFER, INFER_VERSION = (
    Operation(f"{model}/infer", "Ask by the Open Inference Protocol.", types.InferAnswer, "post") for model in MODELS
)
METRICS = Operation("/metrics", "Metrics for Prometheus.")

OPERATIONS = (
    INVOCATIONS,
    Operation("/ping", "Whether all variants are ready.", types.Ping, not_ready=True),
    Operation("/ping", "The same, as some platforms ask.", types.Ping, "post", not_ready=True),
    Operation("/v2", "What the server is.", types.ServerMetadata),
    Operation("/v2/", "The same, as some clients ask.", types.ServerMetadata),
    Operation("/v2/health/live", "Whether the server runs.", types.Live),
    Operation("/v2/health/ready", "Whether all variants are ready.", types.ServerReady, not_ready=True),
    *_of_models(),
    INFER,
    INFER_VERSION,
    Operation("/variants", "What is served: manifests, engines, workers.", types.Variants),
    METRICS,
    Operation("/execution-parameters", "What a batch transform job should send.", types.ExecutionParameters),
    Operation(PATH, "This document."),
)


def document(settings: Settings, default: str) -> Json:
    """The document of a server with these settings; examples ask the variant `default`."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _described(operation, settings, default)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ParetoServe", "version": version("paretoserve"), "summary": "Variants of a classifier."},
        "paths": paths | (openapi_models.paths() if settings.multi_model else {}),
        "security": [{"bearer": []}, {"header": []}] if settings.api_key_file else [],
        "components": {
            "schemas": _schemas()[1],
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
            },
        },
    }


@cache
def _schemas() -> tuple[dict[Any, Json], Json]:
    """A schema for each type of a body, and the components that these refer to."""
    described = [InferBody, types.Question, types.Refusal, *(one.answer for one in OPERATIONS if one.answer)]
    schemas, components = msgspec.json.schema_components(described, ref_template="#/components/schemas/{name}")
    return dict(zip(described, schemas, strict=True)), components


def _described(operation: Operation, settings: Settings, default: str) -> Json:
    parameters = [_in_path("name", default, "no-such-variant")] if "{name}" in operation.path else []
    parameters += [_in_path("version", VERSION, "7")] if "{version}" in operation.path else []
    described: Json = {"operationId": operation.name, "summary": operation.summary}
    if _asks(operation):
        parameters += _invocations_headers() if operation is INVOCATIONS else [_JSON_LENGTH]
        parameters += _INFERENCE_HEADERS
        described["requestBody"] = _request(operation, settings)
    if operation.path in HEALTH:
        described["security"] = []
    return described | {"parameters": parameters, "responses": _responses(operation)}


# Requests


def _asks(operation: Operation) -> bool:
    """Whether a variant is asked for its answer."""
    return operation in (INVOCATIONS, INFER, INFER_VERSION)


def _in_path(name: str, served: str, unknown: str) -> Json:
    shown = {"served": {"value": served}, "unknown": {"value": unknown, "x-status": 404}}
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "examples": shown}


def _header(name: str, meaning: str, **examples: Any) -> Json:
    """A header of a request; an example is a value, or a value and the status that it is answered with."""
    shown = {
        key: {"value": one[0], "x-status": one[1]} if isinstance(one, tuple) else {"value": one}
        for key, one in examples.items()
    }
    kind = "integer" if all(isinstance(one["value"], int) for one in shown.values()) else "string"
    schema = {"type": kind}
    return {"name": name, "in": "header", "description": meaning, "schema": schema, "examples": shown}


def _invocations_headers() -> list[Json]:
    return [
        _header("Content-Type", "That of the body; JSON without one.", json=JSON, no=("image/png", 415)),
        _header("Accept", "The content type of the answer.", json=JSON, lines=JSON_LINES, csv=CSV, no=("x/y", 406)),
        _header(
            TARGET_VARIANT,
            f"Which of several variants is asked; {ALL_TRAFFIC} is the first. One that is alone answers to any name.",
            any=ALL_TRAFFIC,
        ),
    ]


_JSON_LENGTH = _header(
    "Inference-Header-Content-Length", "Bytes of the JSON part, where binary tensors follow it.", too_many=(10**6, 400)
)

_INFERENCE_HEADERS = [
    _header("X-Request-Id", "The client's id of the request, repeated on the answer.", own="order-8"),
    _header("traceparent", "W3C Trace Context.", trace="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    _header("X-Request-Timeout-Ms", "The client's deadline, ms.", minute=60_000, passed=(0, 504)),
]


def _request(operation: Operation, settings: Settings) -> Json:
    text = {"type": "string"}
    if operation is not INVOCATIONS:
        bodies = {JSON: (_schemas()[0][InferBody], examples.INFERENCES), OCTETS: (_binary(), {})}
    else:
        bodies = {
            JSON: (_schemas()[0][types.Question], examples.QUESTIONS),
            JSON_LINES: (text, examples.LINES),
            CSV: (text, examples.TABLE),
        }
    content = {kind: {"schema": schema, "examples": shown} for kind, (schema, shown) in bodies.items()}
    return {"required": True, "description": f"At most {settings.max_body_bytes} bytes.", "content": content}


def _binary() -> Json:
    return {"description": "The JSON part, and the bytes of its tensors after it."}


# Answers


def _responses(operation: Operation) -> Json:
    found = {"200": _answer(operation)}
    if operation.not_ready:
        found["503"] = _answer(operation, "Not ready.")
    for status, names in _errors_of(operation).items():
        found[str(status)] = _error(status, names)
    return found


def _errors_of(operation: Operation) -> dict[int, list[str]]:
    """The names of the errors that a route may be answered with, by status."""
    by_status: dict[int, list[str]] = {_METHOD_NOT_ALLOWED: ["HTTPError"]}
    for name in STATUS:
        if (_asks(operation) and name not in _OF_MODELS) or name in _of_every_route(operation):
            by_status.setdefault(status_of(name), []).append(name)
    by_status.setdefault(500, []).append("Bug")
    return by_status


def _of_every_route(operation: Operation) -> set[str]:
    names = {errors.UnknownHost.__name__}
    if operation.path not in HEALTH:
        names.add(errors.Unauthorized.__name__)
    if "{name}" in operation.path:
        names.add(errors.UnknownVariant.__name__)
    if operation.loads:
        names.add(errors.NotReady.__name__)
    return names


def _error(status: int, names: list[str]) -> Json:
    headers = {}
    if any(_waits(name) for name in names):
        headers["Retry-After"] = _told("Seconds after which it may be worth asking again.", "integer")
    if errors.Unauthorized.__name__ in names:
        headers["WWW-Authenticate"] = _told("How a key is sent.")
    example = {"error": "What was wrong, and what to do.", "type": names[0]}
    schema = {"allOf": [_schemas()[0][types.Refusal], {"properties": {"type": {"enum": _with_derived(names)}}}]}
    content = {JSON: {"schema": schema, "example": example}}
    return {"description": f"{HTTPStatus(status).phrase}: {_meanings(names)}", "headers": headers, "content": content}


def _waits(name: str) -> bool:
    kind = getattr(errors, name, None)
    return kind is not None and "retry_after_s" in inspect.signature(kind.__init__).parameters


def _with_derived(names: list[str]) -> list[str]:
    """The names, and those of errors without a status of their own, which are answered with their base's."""
    every = [name for name, one in vars(errors).items() if inspect.isclass(one)]
    return names + [name for name in every if name not in STATUS and _status_name(name) in names]


def _status_name(name: str) -> str:
    kind: type[Exception] = getattr(errors, name)
    return next(base.__name__ for base in kind.__mro__ if base.__name__ in STATUS)


def _meanings(names: list[str]) -> str:
    docs = [inspect.getdoc(getattr(errors, name)) if hasattr(errors, name) else None for name in names]
    return " ".join(text.splitlines()[0] for text in docs if text) or "See the log of the server."


def _answer(operation: Operation, description: str = "The answer.") -> Json:
    if operation is METRICS:
        return {"description": description, "content": {CONTENT_TYPE_LATEST: {"schema": {"type": "string"}}}}
    schema = _schemas()[0][operation.answer] if operation.answer else {"type": "object"}
    content = {JSON: {"schema": schema}}
    if operation is INVOCATIONS:
        content |= {kind: {"schema": {"type": "string"}} for kind in (JSON_LINES, CSV)}
    if operation in (INFER, INFER_VERSION):
        content |= {OCTETS: {"schema": _binary()}}
    answer: Json = {"description": description, "content": content}
    return answer | ({"headers": _ANSWER_HEADERS} if _asks(operation) else {})


def _told(meaning: str, kind: str = "string") -> Json:
    return {"description": meaning, "schema": {"type": kind}}


_PHASES = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())

_ANSWER_HEADERS = {
    "X-Request-Id": _told("Of the request, or made for it."),
    "traceparent": _told("Of the request."),
    "Server-Timing": _told(f"Milliseconds. {_PHASES}."),
    "X-Amzn-Invoked-Production-Variant": _told("The variant that answered."),
    "X-ParetoServe-Truncated": _told("The places of the texts that were cut."),
    "Inference-Header-Content-Length": _told("Bytes of the JSON part, where binary tensors follow it.", "integer"),
    "Content-Encoding": _told("How the answer is packed, which V2 clients may ask for."),
}
