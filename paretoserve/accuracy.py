"""Accuracy as a client sees it: every labelled row asked over HTTP, one after the other."""

import http.client
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from loadtest.comparison import Accuracy
from model_store.data import Row, Split
from model_store.errors import ParetoServeError
from paretoserve.progress import Report

PATH = "/invocations"
HEADERS = {"Content-Type": "application/json"}


def request_body(text: str, text_pair: str | None) -> bytes:
    """The body that asks for one text or pair."""
    inputs = text if text_pair is None else {"text": text, "text_pair": text_pair}
    return json.dumps({"inputs": inputs}).encode()


def served_accuracy(url: str, split: Split, labels: Sequence[str], report: Report) -> Accuracy:
    """Ask all rows of `split` over one connection and compare the labels.

    Raises:
        ParetoServeError: a request was not answered 200.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    correct = 0
    for i, row in enumerate(split.rows):
        correct += _label(connection, row) == labels[row.label]
        report("accuracy over HTTP", (i + 1) / len(split.rows))
    connection.close()
    n = len(split.rows)
    return Accuracy(value=correct / n, n=n, dataset=f"{split.dataset}/{split.split}")


def _label(connection: http.client.HTTPConnection, row: Row) -> str:
    connection.request("POST", PATH, request_body(row.text, row.text_pair), HEADERS)
    response = connection.getresponse()
    body = json.loads(response.read())
    if response.status != http.client.OK:
        raise ParetoServeError(f"The server answered {response.status} to a row of the data: {body['error']}")
    answer = body[0] if isinstance(body, list) else body
    label: str = answer["label"]
    return label
