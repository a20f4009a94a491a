"""Triton's own HTTP client, unchanged, against a real server."""

from typing import Any

import pytest

from tests.contract.clients.environments import PATIENCE_S, told_by
from tests.serving.front_server import Front

pytestmark = [pytest.mark.engines, pytest.mark.timeout(PATIENCE_S)]

TEXTS = ["a good film", "bad"]


@pytest.fixture(scope="module")
def told(server: Front) -> Any:
    return told_by("triton", "triton", str(server.http.base_url).rstrip("/"))


@pytest.fixture(scope="module")
def expected(server: Front) -> list[dict[str, Any]]:
    """What `/invocations` answers."""
    answers: list[dict[str, Any]] = server.ask(TEXTS).json()
    return answers


def test_it_sees_what_is_live_and_ready(told: Any) -> None:
    found = told["told"]
    assert all(found[name] for name in ("live", "ready", "model_ready", "version_ready"))
    assert not found["other_version_ready"]
    assert not found["other_model_ready"]


def test_it_reads_the_metadata_and_the_configuration(told: Any) -> None:
    found = told["told"]
    assert found["server"]["extensions"] == ["binary_tensor_data", "model_configuration"]
    assert (found["metadata"]["name"], found["metadata"]["versions"]) == ("dense", ["1"])
    assert [one["name"] for one in found["metadata"]["inputs"]] == ["text", "text_pair"]
    config = found["config"]
    assert [(one["name"], one["data_type"]) for one in config["input"]] == [
        ("text", "TYPE_STRING"),
        ("text_pair", "TYPE_STRING"),
    ]
    assert {one["name"]: one["dims"] for one in config["output"]} == {"label": [-1], "score": [-1], "logits": [-1, 2]}
    assert config["max_batch_size"] == 0


@pytest.mark.parametrize("way", ["binary", "json", "column", "parameters"])
def test_it_is_answered_in_binary_form_and_in_json(told: Any, expected: list[dict[str, Any]], way: str) -> None:
    outputs = told["answers"][way]["outputs"]
    assert outputs["label"] == [one["label"] for one in expected]
    assert outputs["score"] == pytest.approx([one["score"] for one in expected], abs=1e-5)


def test_an_answer_names_its_model_its_version_and_its_request(told: Any) -> None:
    answer = told["answers"]["binary"]
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("42", "dense", "1")


def test_only_the_outputs_that_are_asked_for_come_each_in_its_form(told: Any) -> None:
    assert told["answers"]["json"]["outputs"].keys() == {"score", "label"}
    assert told["answers"]["mixed"]["shapes"] == {"logits": [2, 2], "label": [2]}


@pytest.mark.parametrize("way", ["gzip", "deflate"])
def test_packed_requests_get_packed_answers(told: Any, expected: list[dict[str, Any]], way: str) -> None:
    answer = told["answers"][way]
    assert answer["outputs"]["label"] == [one["label"] for one in expected] * 100
    assert answer["shapes"]["logits"] == [200, 2]


@pytest.mark.parametrize(
    ("what", "status", "words"),
    [
        ("model", "404", "There is no variant 'no-such-model' here; choose one of dense"),
        ("version", "404", "Variant 'dense' has no version '2'"),
        ("input", "400", 'Send the input "text"'),
        ("classification", "400", "there is no classification extension here"),
        ("metadata", "404", "There is no variant 'no-such-model' here"),
    ],
)
def test_it_reads_why_it_is_refused(told: Any, what: str, status: str, words: str) -> None:
    assert told["refusals"][what]["status"] == status
    assert words in told["refusals"][what]["message"]


@pytest.mark.parametrize("way", ["binary", "json"])
def test_a_model_of_a_users_own_takes_the_tokens_that_it_declares(told: Any, way: str) -> None:
    answer = told["own"][way]
    assert answer["outputs"] == {"sums": [6.0, 15.0], "words": ["3 tokens", "3 tokens"]}
    assert answer["shapes"] == {"sums": [2, 1], "words": [2]}
