"""The peers' model as own code: the very server that the benchmark measures, with a model that is tiny."""

import json
from pathlib import Path

import pytest

from benchmarks.peers.own_code import write_own_code
from paretoserve.hosts.process import running_server
from tests.conftest import BuiltOnce
from tests.handlers.variants import shared_tiny
from tests.shown import ask


@pytest.mark.timeout(180)
def test_it_gives_the_labels_of_the_built_in_model(built_once: BuiltOnce, tmp_path: Path) -> None:
    variant = shared_tiny(built_once, "dense", "onnxruntime")
    folder = write_own_code(variant, tmp_path / "own", 16)
    body = json.dumps({"inputs": "a good film"})
    curl = ("curl", "-s", "127.0.0.1:8080/invocations", "-H", "Content-Type: application/json", "-d", body)
    with running_server([str(folder)], tmp_path / "own.log") as url:
        (own,) = json.loads(ask(url, curl).body)
    with running_server([f"{variant}@onnxruntime"], tmp_path / "built-in.log") as url:
        built_in = json.loads(ask(url, curl).body)
    (expected,) = built_in if isinstance(built_in, list) else [built_in]
    assert own["label"] == expected["label"]
    assert own["score"] == pytest.approx(expected["score"], abs=1e-4)
