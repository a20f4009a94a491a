"""What the bridge asks the whole way through TorchServe before anybody else does: the golden inputs, and the time."""

import math
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import msgspec

from handlers.golden import check_golden
from handlers.open_inference import LOGITS
from handlers.tasks.catalogue import open_task
from model_store.errors import BackendError
from model_store.manifest import Artifact, Manifest
from serving.wire.cost import Cost
from serving.wire.messages import Ask, Reply

# Requests, one after the other, of which the second half is counted.
TIMED = 30

BUILD_AGAIN = "build the variant again"


def warm_up_body(manifest: Manifest) -> bytes:
    """A request for the logits of a few words, in each place where the task wants a text."""
    task = open_task(manifest.task, manifest.task_settings)
    return _body({one.name: "a few words to warm up with" for one in task.v2_inputs if not one.optional})


def _body(texts: dict[str, str]) -> bytes:
    """A V2 request for the logits of texts: users' own functions leave those alone."""
    inputs = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [text]} for name, text in texts.items()]
    return msgspec.json.encode({"inputs": inputs, "outputs": [{"name": LOGITS}]})


def ask(content: bytes) -> Ask:
    return Ask(0, content, "application/json", "", "v2", None, math.inf, math.inf)


def golden(manifest: Manifest, backend: str) -> Iterator[tuple[bytes, list[float]]]:
    """Requests for the golden inputs, each with the logits on record."""
    artifact = manifest.artifacts.get(backend)
    if artifact is None or not artifact.golden_logits:
        return
    names = [one.name for one in open_task(manifest.task, manifest.task_settings).v2_inputs]
    for one, logits in zip(manifest.golden, artifact.golden_logits, strict=True):
        texts = [one.text] if one.text_pair is None else [one.text, one.text_pair]
        yield _body(dict(zip(names, texts, strict=False))), logits


def check(reply: Reply, expected: list[float], artifact: Artifact) -> None:
    """Raises GoldenMismatch where the answer is another one than on record, BackendError where there is none."""
    if reply.error:
        raise BackendError(f"TorchServe cannot answer a golden input: {reply.message}")
    found = msgspec.json.decode(reply.body)["outputs"][0]["data"]
    check_golden("A golden input, asked of TorchServe,", expected, found, artifact.golden_tolerance, BUILD_AGAIN)


def facts(of_handler: dict[str, Any], cost: Cost) -> dict[str, Any]:
    """The handler's facts, for `/variants`, told of TorchServe; the engine inside is among the details."""
    changed = of_handler | {"cost": {name: getattr(cost, name) for name in cost.__struct_fields__}}
    engine = of_handler["engine"]
    if isinstance(engine, dict):
        details = engine["details"] | {"engine": f"{engine['engine']} {engine['version']}"}
        changed["engine"] = engine | {"engine": "torchserve", "version": version("torchserve"), "details": details}
    return changed
