"""What the benchmark knows of a peer: how to ask it, and with which settings it is measured."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

PEERS_DIR = Path(__file__).parents[1]
ONE_BY_ONE, BATCHED = "one by one", "batched"
MAX_BATCH = 16


@dataclass(frozen=True)
class Peer:
    """A server of other people. Its folder holds `server.py` and `requirements.txt`.

    `package` names it in its requirements, where its version is pinned. `batches` says whether it can put several
    requests into one call. `python` is the version it needs, where that is not ours. `environment` is added to the
    server's environment; `needs_library` puts the shared library of its Python on the loader's path.
    """

    name: str
    package: str
    path: str
    body: Callable[[str], bytes]
    label: Callable[[bytes], str]
    batches: bool = True
    python: str | None = None
    needs_library: bool = False
    environment: Mapping[str, str] | None = None

    @property
    def folder(self) -> Path:
        return PEERS_DIR / self.name

    @property
    def requirements(self) -> Path:
        return self.folder / "requirements.txt"

    @property
    def configurations(self) -> dict[str, int]:
        """What it is measured with: the most texts in one call, by the name of the configuration."""
        return {ONE_BY_ONE: 1, BATCHED: MAX_BATCH} if self.batches else {ONE_BY_ONE: 1}

    @property
    def version(self) -> str:
        """The version its requirements ask for."""
        pins = [line.split("==") for line in self.requirements.read_text().splitlines() if "==" in line]
        return next(version for name, version in pins if name.partition("[")[0] == self.package)


def plain_body(text: str) -> bytes:
    return json.dumps({"inputs": text}).encode()


def plain_label(answer: bytes) -> str:
    """Of `[{"label": …, "score": …}]`."""
    label: str = json.loads(answer)[0]["label"]
    return label


def v2_body(text: str) -> bytes:
    """The Open Inference Protocol: a tensor of one text, wanting its label and score."""
    tensor = {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": [text]}
    return json.dumps({"inputs": [tensor]}).encode()


def v2_label(answer: bytes) -> str:
    outputs = {output["name"]: output["data"] for output in json.loads(answer)["outputs"]}
    label: str = outputs["label"][0]
    return label
