"""What the OpenAPI document says, asked of a real server by Schemathesis: every route, with inputs that it makes up."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.handlers.variants import build_dense
from tests.serving.front_server import front, spec

# A text of white space, a shape that is not that of the data: a request may be wrong in ways that no schema tells.
UNTOLD: list[Any] = [positive_data_acceptance]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    variant = build_dense(tmp_path_factory.mktemp("variants"))
    with front([spec(variant)]) as server:
        yield str(server.http.base_url).rstrip("/")


@pytest.mark.timeout(300)
def test_answers_are_as_the_document_says(url: str) -> None:
    asked = 0
    for found in schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @settings(suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def is_answered_as_described(case: Case[Any]) -> None:
            nonlocal asked
            asked += 1
            answer = case.call(base_url=url)
            if answer.status_code != 504:  # which the deadline that a request states may bring about
                case.validate_response(answer, excluded_checks=UNTOLD)

        is_answered_as_described()
    assert asked > 100, "many inputs of many routes"
