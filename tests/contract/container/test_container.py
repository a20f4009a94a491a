"""The container's contract, line by line, without a container: what `IMAGE serve` runs, as SageMaker asks it."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from paretoserve.hosts.process import served_by_process
from tests.docker.containers import BACKENDS, ROOT
from tests.handlers.variants import write_code
from tests.serving.front_server import Front, GatedModel, front, until

pytestmark = pytest.mark.timeout(300)

OWN = """
def model_fn(model_dir):
    return None

def predict_fn(data, model):
    return {"answered": data["inputs"]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_code(tmp_path_factory.mktemp("opt-ml") / "model", OWN)


@pytest.fixture(scope="module")
def container(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """As an image starts it, but for the port."""
    told = {"PARETOSERVE_VARIANT": str(folder), "PARETOSERVE_HOST": "127.0.0.1", "SAGEMAKER_REGION": "eu-west-1"}
    log = tmp_path_factory.mktemp("container") / "log"
    with (
        served_by_process([], log, environment=os.environ | told) as server,
        httpx.Client(base_url=server.url, timeout=60) as http,
    ):
        yield http


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ping_is_200_by_either_method(container: httpx.Client, method: str) -> None:
    assert container.request(method, "/ping").status_code == 200


def test_ping_is_answered_in_time_while_the_model_is_at_work(tmp_path: Path) -> None:
    model = GatedModel(tmp_path / "gated")
    with front([model.spec]) as server:
        waiting = server.asking("wait")
        with model.held():
            assert server.http.get("/ping", timeout=2.0).status_code == 200
            assert not waiting.done()


def test_a_request_without_content_type_and_accept_is_json_both_ways(container: httpx.Client) -> None:
    answer = container.post("/invocations", content=b'{"inputs": "x"}')
    assert "content-type" not in answer.request.headers
    assert (answer.json(), answer.headers["content-type"]) == ({"answered": "x"}, "application/json")


def test_headers_that_the_platform_adds_are_ignored(container: httpx.Client) -> None:
    headers = {f"X-Amzn-SageMaker-{name}": "any" for name in ("Inference-Component", "Enable-Explanations", "New-One")}
    assert container.post("/invocations", json={"inputs": "x"}, headers=headers).status_code == 200


def test_nothing_is_written_to_the_models_folder(container: httpx.Client, folder: Path) -> None:
    assert container.post("/invocations", json={"inputs": "x"}).status_code == 200
    assert sorted(one.name for one in folder.rglob("*")) == ["code", "inference.py"]


def test_it_ends_within_thirty_seconds_of_sigterm_however_long_a_request_takes(tmp_path: Path) -> None:
    model = GatedModel(tmp_path / "gated")
    with front([model.spec], drain_timeout_s=1.0) as server:
        (worker,) = server.worker_pids()
        waiting = server.asking("wait")
        with model.held():
            server.process.terminate()
            assert server.process.wait(timeout=30) == 0, "SageMaker would have killed it"
        assert not psutil.pid_exists(worker)
        assert waiting.exception() or waiting.result().is_error


def test_what_is_admitted_before_sigterm_is_answered(tmp_path: Path) -> None:
    model = GatedModel(tmp_path / "gated")
    with front([model.spec]) as server:
        waiting = server.asking("wait")
        with model.held():
            server.process.terminate()
            until(lambda: _is_draining(server))
        assert waiting.result().json() == {"answered": "wait"}
        assert server.process.wait() == 0


def _is_draining(server: Front) -> bool:
    return server.http.get("/ping").status_code == 503


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_image_is_started_by_its_own_argument_and_has_both_labels(backend: str) -> None:
    dockerfile = (ROOT / "docker" / f"Dockerfile.{backend}").read_text()
    assert 'ENTRYPOINT ["paretoserve"]' in dockerfile, "in exec form: signals reach the server"
    assert 'CMD ["serve"]' in dockerfile
    for label in ("accept-bind-to-port=true", "multi-models=true"):
        assert f"com.amazonaws.sagemaker.capabilities.{label}" in dockerfile
