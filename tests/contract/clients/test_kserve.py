"""KServe's own HTTP client, unchanged, against a real server."""

from typing import Any

import pytest

from tests.contract.clients.environments import PATIENCE_S, told_by
from tests.serving.front_server import Front

pytestmark = [pytest.mark.engines, pytest.mark.timeout(PATIENCE_S)]

TEXTS = ["a good film", "bad"]


@pytest.fixture(scope="module")
def told(server: Front) -> Any:
    return told_by("kserve", "kserve", str(server.http.base_url).rstrip("/"))


def test_it_sees_what_is_live_and_ready(told: Any) -> None:
    assert (told["live"], told["ready"], told["model_ready"], told["other_model_ready"]) == (True, True, True, False)


@pytest.mark.parametrize(("way", "count"), [("json", 1), ("binary", 1), ("many", 100)])
def test_it_is_answered_in_json_and_in_binary_form(server: Front, told: Any, way: str, count: int) -> None:
    expected = server.ask(TEXTS).json()
    outputs = told["answers"][way]["outputs"]
    assert outputs["label"] == [one["label"] for one in expected] * count
    assert outputs["score"] == pytest.approx([one["score"] for one in expected] * count, abs=1e-5)


def test_an_answer_names_its_model_and_its_request(told: Any) -> None:
    answer = told["answers"]["json"]
    assert (answer["id"], answer["model"]) == ("42", "dense")


def test_only_the_outputs_that_are_asked_for_come_each_in_its_form(told: Any) -> None:
    outputs = told["answers"]["mixed"]["outputs"]
    assert outputs.keys() == {"label", "logits"}
    assert len(outputs["logits"]) == 4


@pytest.mark.parametrize("way", ["tokens", "tokens as json"])
def test_a_model_of_a_users_own_takes_the_tokens_that_it_declares(told: Any, way: str) -> None:
    assert told["answers"][way]["outputs"] == {"sums": [6.0, 15.0], "words": ["3 tokens", "3 tokens"]}


@pytest.mark.parametrize(
    ("model", "status", "words"),
    [
        ("no-such-model", 404, "There is no variant 'no-such-model' here"),
        ("tokens", 400, "Send each of the inputs once: input_ids (INT64 [-1, -1])"),
    ],
)
def test_it_reads_why_it_is_refused(told: Any, model: str, status: int, words: str) -> None:
    assert told["refusals"][model]["status"] == status
    assert words in told["refusals"][model]["message"]
