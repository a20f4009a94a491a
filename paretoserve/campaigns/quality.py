"""Quality as a client sees it: every labelled row asked over HTTP, one after the other, and scored by the task."""

import http.client
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from handlers.tasks.base import AnyTask
from loadtest.results.comparison import Difference, Quality
from loadtest.statistics.accuracy import encode_right
from model_store.errors import ParetoServeError
from model_store.manifest import Quality as BuiltQuality
from model_store.rows import Split
from paretoserve.measuring.statistics import interval_of
from paretoserve.terminal.progress import Progress
from serving.headers import TARGET_VARIANT

PATH = "/invocations"
HEADERS = {"Content-Type": "application/json"}


def request_body(inputs: Sequence[Any]) -> bytes:
    """The body that asks for one input, or for several in a list."""
    return json.dumps({"inputs": inputs[0] if len(inputs) == 1 else inputs}).encode()


def write_bodies(inputs: Sequence[Any], inputs_per_request: int, file: Path) -> Path:
    """Request bodies for a campaign, one a line; the last is left out if there are too few inputs for it."""
    count = max(1, len(inputs) // inputs_per_request)
    groups = (inputs[i * inputs_per_request : (i + 1) * inputs_per_request] for i in range(count))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(request_body(group) + b"\n" for group in groups))
    return file


def served_quality(url: str, split: Split, task: AnyTask, report: Progress, variant: str | None = None) -> Quality:
    """Ask all rows of `split` over one connection and score the answers; of the server's first variant, or this one.

    Raises:
        ParetoServeError: a request was not answered 200.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = HEADERS | ({TARGET_VARIANT: variant} if variant else {})
    answers = []
    for i, row in enumerate(split.rows):
        answers.append(_answer(connection, task.inputs(row), headers))
        report(f"{task.metric} over HTTP", (i + 1) / len(split.rows))
    connection.close()
    score, n = task.score(answers, split.rows), len(split.rows)
    interval = interval_of(score.value, score.correct, n)
    return Quality(
        score.value,
        task.metric,
        n,
        f"{split.dataset}/{split.split}",
        interval,
        further=dict(score.further),
        right=_right(answers, split, task) if score.correct is not None else "",
    )


def _right(answers: Sequence[Any], split: Split, task: AnyTask) -> str:
    """Which of the answers are right, each scored alone, as `Quality.right` has them."""
    scores = (task.score([answer], [row]) for answer, row in zip(answers, split.rows, strict=True))
    return encode_right([score.correct == 1 for score in scores])


def with_difference(quality: Quality, built: BuiltQuality | None) -> Quality:
    """A quality with what `build` found against the dense variant, where it was `built` on the same rows."""
    if built is None or (built.metric, built.n, f"{built.dataset}/{built.split}") != (
        quality.metric,
        quality.n,
        quality.dataset,
    ):
        return quality
    return replace(quality, against_dense=msgspec.convert(built.against_dense, Difference | None, from_attributes=True))


def _answer(connection: http.client.HTTPConnection, asked: Any, headers: dict[str, str]) -> Any:
    # In a list of one, so that the answer has one shape whatever the input is.
    connection.request("POST", PATH, json.dumps({"inputs": [asked]}), headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    if response.status != http.client.OK:
        raise ParetoServeError(f"The server answered {response.status} to a row of the data: {body['error']}")
    return body[0]
