"""What the bridge asks the whole way through TorchServe before anybody else does: the golden inputs, and the time."""

import math
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np

from model_store.errors import BackendError, GoldenMismatch
from model_store.manifest import Artifact, Manifest
from serving.wire.cost import Cost
from serving.wire.messages import Ask, Reply

# Requests, one after the other, of which the second half is counted.
TIMED = 30


def body(text: str, text_pair: str | None = None) -> bytes:
    """A V2 request for the logits of a text: users' own functions leave those alone."""
    texts = {"text": text} | ({} if text_pair is None else {"text_pair": text_pair})
    inputs = [{"name": name, "shape": [1], "datatype": "BYTES", "data": [one]} for name, one in texts.items()]
    return msgspec.json.encode({"inputs": inputs, "outputs": [{"name": "logits"}]})


def ask(content: bytes) -> Ask:
    return Ask(0, content, "application/json", "", "v2", None, math.inf, math.inf)


def golden(manifest: Manifest, backend: str) -> Iterator[tuple[bytes, list[float]]]:
    """Requests for the golden inputs, each with the logits on record."""
    artifact = manifest.artifacts.get(backend)
    if artifact is not None and artifact.golden_logits:
        for one, logits in zip(manifest.golden, artifact.golden_logits, strict=True):
            yield body(one.text, one.text_pair), logits


def check(reply: Reply, expected: list[float], artifact: Artifact) -> None:
    """Raises GoldenMismatch where the answer is another one than on record, BackendError where there is none."""
    if reply.error:
        raise BackendError(f"TorchServe cannot answer a golden input: {reply.message}")
    found = msgspec.json.decode(reply.body)["outputs"][0]["data"]
    if np.abs(np.subtract(found, expected)).max() > artifact.golden_tolerance:
        raise GoldenMismatch(
            f"TorchServe answers a golden input with the logits {np.round(found, 4).tolist()} instead of "
            f"{np.round(expected, 4).tolist()} (tolerance {artifact.golden_tolerance}); build the variant again."
        )


def facts(of_handler: dict[str, Any], cost: Cost) -> dict[str, Any]:
    """The handler's facts, for `/variants`, told of TorchServe; the engine inside is among the details."""
    changed = of_handler | {"cost": {name: getattr(cost, name) for name in cost.__struct_fields__}}
    engine = of_handler["engine"]
    if isinstance(engine, dict):
        details = engine["details"] | {"engine": f"{engine['engine']} {engine['version']}"}
        changed["engine"] = engine | {"engine": "torchserve", "version": version("torchserve"), "details": details}
    return changed
