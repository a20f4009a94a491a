"""Accuracy as a client sees it: every labelled row asked over HTTP, one after the other."""

import http.client
import json
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from loadtest.comparison import Quality
from model_store.errors import ParetoServeError
from model_store.rows import Row, Split
from paretoserve.terminal.progress import Progress
from serving.headers import TARGET_VARIANT

PATH = "/invocations"
HEADERS = {"Content-Type": "application/json"}


Text = tuple[str, str | None]


def request_body(texts: Sequence[Text]) -> bytes:
    """The body that asks for one text or pair, or for several in a list."""
    inputs = [text if pair is None else {"text": text, "text_pair": pair} for text, pair in texts]
    return json.dumps({"inputs": inputs[0] if len(inputs) == 1 else inputs}).encode()


def write_bodies(texts: Sequence[Text], texts_per_request: int, file: Path) -> Path:
    """Request bodies for a campaign, one a line; the last is left out if there are too few texts for it."""
    count = max(1, len(texts) // texts_per_request)
    groups = (texts[i * texts_per_request : (i + 1) * texts_per_request] for i in range(count))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(request_body(group) + b"\n" for group in groups))
    return file


def served_accuracy(
    url: str, split: Split, labels: Sequence[str], report: Progress, variant: str | None = None
) -> Quality:
    """Ask all rows of `split` over one connection and compare the labels; of the server's first variant, or this one.

    Raises:
        ParetoServeError: a request was not answered 200.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = HEADERS | ({TARGET_VARIANT: variant} if variant else {})
    correct = 0
    for i, row in enumerate(split.rows):
        correct += _label(connection, row, headers) == labels[row.target]
        report("accuracy over HTTP", (i + 1) / len(split.rows))
    connection.close()
    n = len(split.rows)
    return Quality(value=correct / n, metric="accuracy", n=n, dataset=f"{split.dataset}/{split.split}")


def _label(connection: http.client.HTTPConnection, row: Row, headers: dict[str, str]) -> str:
    connection.request("POST", PATH, request_body([(row.text, row.text_pair)]), headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    if response.status != http.client.OK:
        raise ParetoServeError(f"The server answered {response.status} to a row of the data: {body['error']}")
    answer = body[0] if isinstance(body, list) else body
    label: str = answer["label"]
    return label
