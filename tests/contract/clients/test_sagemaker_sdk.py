"""The SageMaker Python SDK's predictors, unchanged: as its local mode asks a container, and through boto3."""

import json
import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.contract.clients.environments import PATIENCE_S, told_by
from tests.serving.front_server import Front

pytestmark = [pytest.mark.engines, pytest.mark.timeout(PATIENCE_S)]

TEXTS = ["a good film", "bad"]
PAIR = {"text": "a good film", "text_pair": "bad"}


@pytest.fixture(scope="module")
def no_docker(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH whose `docker` knows no host: local mode asks it where containers run, and takes this machine then."""
    folder = tmp_path_factory.mktemp("docker")
    command = folder / "docker"
    command.write_text("#!/bin/sh\necho there is none >&2\nexit 1\n")
    command.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def assert_answered(server: Front, told: dict[str, Any]) -> None:
    expected = server.ask(TEXTS).json()
    scores = [one["score"] for one in expected]
    labels = [one["label"] for one in expected]
    for name in ("json", "lines", "attributed"):
        assert [one["label"] for one in told[name]] == labels
        assert [one["score"] for one in told[name]] == pytest.approx(scores, abs=1e-5)
    for name in ("csv", "csv_texts"):
        assert [row[0] for row in told[name]] == labels
        assert [float(row[1]) for row in told[name]] == pytest.approx(scores, abs=1e-5)
    ((label, score),) = told["csv_pair"]
    assert label == server.ask([PAIR]).json()[0]["label"]
    assert float(score) == pytest.approx(server.ask([PAIR]).json()[0]["score"], abs=1e-5)
    assert told["numpy"] == [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]


versions = pytest.mark.parametrize("version", ["sagemaker2", "sagemaker3"])


@versions
def test_its_predictors_are_answered_in_local_mode(
    server: Front, url: str, no_docker: str, tmp_path: Path, version: str
) -> None:
    told = told_by(version, version, url, "endpoint", "local", PATH=no_docker, HOME=str(tmp_path))
    assert_answered(server, told)
    # Local mode raises nothing; a predictor gives back the body of the error.
    assert told["refused"]["type"] == "BadInput"


@versions
@pytest.mark.skipif(not find_spec("paretoserve.sagemaker"), reason="there is no local SageMaker runtime here")
def test_its_predictors_are_answered_through_boto3(server: Front, url: str, tmp_path: Path, version: str) -> None:
    runtimes = import_module("tests.paretoserve.sagemaker.emulator.emulated")
    described = runtimes.endpoint(["dense", "tokens", "arrays"])
    with runtimes.emulated(described, url) as runtime:
        told = told_by(version, version, runtime, described.name, "boto3", HOME=str(tmp_path))
    assert_answered(server, told)
    assert told["refused"]["Error"]["Code"] == "ModelError"
    assert told["refused"]["OriginalStatusCode"] == 400
    assert json.loads(told["refused"]["OriginalMessage"])["type"] == "BadInput"
