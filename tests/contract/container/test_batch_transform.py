"""A batch transform job, as SageMaker runs one against a container: its variables, its requests, its answers."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.front.sagemaker_variables import settings_from
from tests.serving.front_server import Front, front, spec

# More than a request may hold that is of no job.
ROWS = 300
TEXTS = [f"a good film, number {number}" for number in range(ROWS)]

MANY = {"SAGEMAKER_BATCH": "true", "SAGEMAKER_BATCH_STRATEGY": "MULTI_RECORD", "SAGEMAKER_MAX_PAYLOAD_IN_MB": "6"}
SINGLE = MANY | {"SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def job(dense: Path) -> Iterator[Front]:
    with front([spec(dense)], **settings_from(MANY)) as served:
        yield served


def as_csv(texts: list[str]) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([text] for text in texts)
    return written.getvalue().encode()


def as_lines(texts: list[str]) -> bytes:
    return b"".join(json.dumps({"inputs": text}).encode() + b"\n" for text in texts)


def ask(job: Front, body: bytes, kind: str, accept: str) -> tuple[int, str]:
    answer = job.http.post("/invocations", content=body, headers={"Content-Type": kind, "Accept": accept})
    return answer.status_code, answer.text


def test_a_job_may_ask_how_much_to_send(job: Front) -> None:
    told = job.http.get("/execution-parameters")
    assert (told.status_code, told.json()["BatchStrategy"], told.json()["MaxPayloadInMB"]) == (200, "MULTI_RECORD", 6)
    assert told.json()["MaxConcurrentTransforms"] >= 2


@pytest.mark.parametrize(("kind", "write"), [("text/csv", as_csv), ("application/jsonlines", as_lines)])
@pytest.mark.parametrize("accept", ["text/csv", "application/jsonlines"])
def test_many_records_are_answered_one_line_each_in_their_order(
    job: Front, kind: str, write: Callable[[list[str]], bytes], accept: str
) -> None:
    status, answer = ask(job, write(TEXTS), kind, accept)
    alone = [ask(job, write(TEXTS[i : i + 1]), kind, accept)[1].strip() for i in (0, ROWS - 1)]
    lines = answer.splitlines()
    assert (status, len(lines)) == (200, ROWS)
    assert [label_of(lines[0]), label_of(lines[-1])] == [label_of(one) for one in alone]


def label_of(line: str) -> str:
    return json.loads(line)["label"] if line.startswith("{") else next(csv.reader([line]))[0]


def test_a_record_that_is_none_fails_the_request_and_names_its_line(job: Front) -> None:
    status, answer = ask(job, as_lines(TEXTS[:3]) + b"{\n", "application/jsonlines", "application/jsonlines")
    assert (status, "Line 4" in answer) == (400, True)


def test_a_job_of_single_records_keeps_the_limit_of_rows(dense: Path) -> None:
    with front([spec(dense)], **settings_from(SINGLE)) as served:
        assert ask(served, as_csv(TEXTS[:1]), "text/csv", "text/csv")[0] == 200
        assert ask(served, as_csv(TEXTS), "text/csv", "text/csv")[0] == 413
