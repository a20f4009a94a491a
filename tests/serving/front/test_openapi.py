"""The description of the interface is in step with it: its routes, its statuses, and what its examples are answered."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from model_store import errors
from serving.cpu_plan import make_plan, usable_cores
from serving.front import app
from serving.front.access import HEALTH
from serving.front.http_errors import STATUS
from serving.front.metrics import Metrics
from serving.front.model_memory import ModelMemory
from serving.front.models import Models
from serving.front.openapi import INFER, INFER_VERSION, INVOCATIONS, OPERATIONS, Operation, document
from serving.front.server import make_repository
from serving.front.settings import Settings
from tests.serving.front_server import Front, front, spec

DOCUMENT = document(Settings(), "dense")


@pytest.fixture(scope="module")
def server(dense: Path) -> Iterator[Front]:
    # Two of them, so that a name which is not served is none.
    with front([spec(dense), spec(dense, name="other")], allow_hosts=[]) as served:
        yield served


def operation(asked: Operation) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][asked.path][asked.method]
    return found


def by_name(asked: Operation) -> str:
    return asked.name


every_operation = pytest.mark.parametrize("asked", OPERATIONS, ids=by_name)


# The document itself


def test_it_is_served_as_json_and_is_this_very_document(server: Front) -> None:
    answer = server.http.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["paths"] == json.loads(json.dumps(DOCUMENT["paths"]))
    assert answer.json()["openapi"] == "3.1.0"
    assert {"title", "version"} <= answer.json()["info"].keys()


def test_every_route_of_the_server_is_in_it_and_no_other() -> None:
    settings, metrics = Settings(), Metrics()
    repository = make_repository(settings, make_plan(usable_cores(), 1), metrics)
    of_app = app.routes_of(app.Front(repository, settings, metrics))
    routes = {(route.path, method) for route in of_app for method in route.methods or () if method != "HEAD"}
    assert {(one.path, one.method.upper()) for one in OPERATIONS} == routes
    assert {path for path, _ in routes} == DOCUMENT["paths"].keys()


def test_every_status_of_an_error_is_in_it() -> None:
    of_models = document(Settings(multi_model=True), "")["paths"]["/models"]["post"]["responses"]
    for asked in (INVOCATIONS, INFER, INFER_VERSION):
        told = operation(asked)["responses"].keys() | of_models.keys()
        assert {str(status) for status in STATUS.values()} <= told


def test_every_name_of_an_error_is_in_it_under_its_status() -> None:
    for name, status in STATUS.items():
        if name in ("AlreadyLoaded", "NoMemory"):
            continue  # only the API of models is answered with these
        (content,) = operation(INVOCATIONS)["responses"][str(status)]["content"].values()
        assert name in content["schema"]["allOf"][1]["properties"]["type"]["enum"]


@every_operation
def test_an_operation_has_what_openapi_wants_of_it(asked: Operation) -> None:
    described = operation(asked)
    assert described["summary"]
    in_path = {one["name"] for one in described["parameters"] if one["in"] == "path" and one["required"]}
    assert in_path == set(re.findall(r"\{(\w+)\}", asked.path))
    named = [(one["name"].lower(), one["in"]) for one in described["parameters"]]
    assert len(set(named)) == len(named)
    assert all(one["in"] in ("path", "header") and one["schema"] for one in described["parameters"])
    for status, response in described["responses"].items():
        assert 200 <= int(status) < 600
        assert response["description"]
        assert response["content"]


def test_operations_have_ids_of_their_own() -> None:
    assert len({operation(one)["operationId"] for one in OPERATIONS}) == len(OPERATIONS)


def test_every_reference_leads_to_a_schema_and_every_schema_is_valid_and_used() -> None:
    text = json.dumps(DOCUMENT)
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert f'"#/components/schemas/{name}"' in text
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references == DOCUMENT["components"]["schemas"].keys()


@every_operation
def test_shown_errors_fit_their_schemas(asked: Operation) -> None:
    for response in operation(asked)["responses"].values():
        for content in response["content"].values():
            if "example" in content:
                assert_fits(content["example"], content["schema"])


def test_all_but_health_wants_a_key_where_there_are_keys() -> None:
    guarded = document(Settings(api_key_file=Path("keys")), "dense")
    assert guarded["security"] == [{"bearer": []}, {"header": []}]
    assert guarded["components"]["securitySchemes"].keys() == {"bearer", "header"}
    for one in OPERATIONS:
        described = guarded["paths"][one.path][one.method]
        assert (described.get("security") == []) is (one.path in HEALTH)
        assert ("401" in described["responses"]) is (one.path not in HEALTH)
    assert document(Settings(), "dense")["security"] == []


def test_the_limit_of_a_body_is_that_of_the_server() -> None:
    described = document(Settings(max_body_bytes=12345), "dense")["paths"]["/invocations"]["post"]
    assert "12345" in described["requestBody"]["description"]


# What is answered


def assert_fits(value: Any, schema: dict[str, Any]) -> None:
    validator = Draft202012Validator(schema | {"components": DOCUMENT["components"]})
    assert [error.message for error in validator.iter_errors(value)] == []


def assert_described(answer: httpx.Response, asked: Operation) -> None:
    """Status, headers and body are such as the document says."""
    response = operation(asked)["responses"][str(answer.status_code)]
    kinds = {kind.partition(";")[0]: content for kind, content in response["content"].items()}
    kind = answer.headers["content-type"].partition(";")[0]
    if kind == "application/json":
        assert_fits(answer.json(), kinds[kind]["schema"])
    else:
        assert_fits(answer.text, kinds[kind]["schema"])
    if answer.status_code == 200:
        told = {name.lower() for name in response.get("headers", {})} | {"content-type", "content-length"}
        assert answer.headers.keys() <= told


def ask(server: Front, asked: Operation, body: tuple[str, Any] | None, **headers: str) -> httpx.Response:
    kind, content = body or ("application/json", "")
    raw = content if isinstance(content, str) else json.dumps(content)
    path = asked.path.format(name=headers.pop("name", "dense"), version=headers.pop("version", "1"))
    told = {"Content-Type": kind} | headers
    return server.http.request(asked.method, path, content=raw, headers=told if asked.method == "post" else headers)


def a_body(asked: Operation) -> tuple[str, Any] | None:
    return next(iter(bodies(asked)), (None, None))[0]


def bodies(asked: Operation) -> Iterator[tuple[tuple[str, Any], int]]:
    """The examples of bodies with their content types, and the statuses that they are answered with."""
    for kind, content in operation(asked).get("requestBody", {}).get("content", {}).items():
        for example in content["examples"].values():
            yield (kind, example["value"]), example.get("x-status", 200)


@every_operation
def test_every_example_of_a_body_is_answered_as_described(server: Front, asked: Operation) -> None:
    examples: list[tuple[tuple[str, Any] | None, int]] = [*bodies(asked)]
    for body, status in examples or [(None, 200)]:
        answer = ask(server, asked, body)
        assert (body, answer.status_code) == (body, status)
        assert_described(answer, asked)
        if body and body[0] == "application/json" and status == 200:
            assert_fits(body[1], operation(asked)["requestBody"]["content"][body[0]]["schema"])


@every_operation
def test_every_example_of_a_parameter_is_answered_as_described(server: Front, asked: Operation) -> None:
    for parameter in operation(asked)["parameters"]:
        for example in parameter["examples"].values():
            answer = ask(server, asked, a_body(asked), **{parameter["name"]: str(example["value"])})
            assert (parameter["name"], answer.status_code) == (parameter["name"], example.get("x-status", 200))
            assert_described(answer, asked)
            wanted = {"Accept": "content-type", "X-Request-Id": "x-request-id"}.get(parameter["name"])
            assert wanted is None or answer.status_code != 200 or answer.headers[wanted] == example["value"]


@every_operation
def test_another_method_and_another_host_are_answered_as_described(server: Front, asked: Operation) -> None:
    path = asked.path.format(name="dense", version="1")
    assert_described(server.http.request("PATCH", path), asked)
    misdirected = server.http.request(asked.method, path, headers={"Host": "evil.example"})
    assert misdirected.status_code == 421
    assert_described(misdirected, asked)


def test_answers_in_json_lines_and_in_csv_are_what_the_document_says(server: Front) -> None:
    body = next(one for one, _ in bodies(INVOCATIONS) if one[0] == "text/csv")
    lines = ask(server, INVOCATIONS, body, Accept="application/jsonlines")
    for line in lines.text.splitlines():
        assert_fits(
            json.loads(line), operation(INVOCATIONS)["responses"]["200"]["content"]["application/json"]["schema"]
        )
    table = ask(server, INVOCATIONS, body, Accept="text/csv")
    assert len(table.text.splitlines()) == len(lines.text.splitlines()) == 2


def test_binary_tensors_are_asked_for_and_answered(server: Front) -> None:
    (body, _), *_ = bodies(INFER)
    answer = ask(server, INFER, (body[0], body[1] | {"parameters": {"binary_data_output": True}}))
    assert answer.headers["content-type"] in operation(INFER)["responses"]["200"]["content"]
    head = json.loads(answer.content[: int(answer.headers["inference-header-content-length"])])
    assert_fits(head, operation(INFER)["responses"]["200"]["content"]["application/json"]["schema"])


def test_a_variant_that_is_not_ready_is_answered_as_described(tmp_path: Path) -> None:
    with front([spec(tmp_path)], wait=False) as loading:
        for asked in OPERATIONS:
            answer = ask(loading, asked, a_body(asked), name=tmp_path.name)
            assert answer.status_code in (200, 503)
            assert_described(answer, asked)


def test_errors_that_wait_say_so() -> None:
    for status, name in ((429, errors.Overloaded), (503, errors.NotReady)):
        assert name.__name__ in STATUS
        assert "Retry-After" in operation(INVOCATIONS)["responses"][str(status)]["headers"]


def test_an_endpoint_of_many_models_describes_their_routes_as_well() -> None:
    settings, metrics = Settings(multi_model=True), Metrics()
    repository = make_repository(settings, make_plan(usable_cores(), 1), metrics)
    models = Models(repository, metrics, ModelMemory(2**30))
    of_app = app.routes_of(app.Front(repository, settings, metrics, models=models))
    routes = {(route.path, method.lower()) for route in of_app for method in route.methods or () if method != "HEAD"}
    paths = document(settings, "")["paths"]
    assert {(path, method) for path, methods in paths.items() for method in methods} == routes
    assert not DOCUMENT["paths"].keys() & {"/models", "/models/{name}"}
