"""The calls of SageMaker's local mode against our images: its compose service, its health loop, its headers.

As `sagemaker.local` of the Python SDK makes them (2.257, and `sagemaker-core` of version 3). The service of its compose
file is given to `docker run` as options; that is all that Compose would do with one service.
"""

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.docker.containers import BACKENDS, HARDENED, ROOT, Container, docker, need_engine
from tests.environments import use_only
from tests.handlers.variants import build_tiny
from tests.tiny import TEXTS

pytestmark = [pytest.mark.images, pytest.mark.timeout(600)]
each = pytest.mark.parametrize("backend", BACKENDS)

# The SDK asks every 5 s, and gives up after so many tries.
TRIES, PAUSE_S = 24, 5

# What the SDK sets of a model whose code it has packed.
ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    "SAGEMAKER_REGION": "eu-west-1",
}


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    need_engine()


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patch:
        use_only(["deepsparse"], tmp_path_factory.mktemp("environments"), patch)
        (built,) = build_tiny(folder, "dense", backends=("torch", "onnxruntime", "openvino", "deepsparse"))
    return built


@contextmanager
def local_endpoint(
    backend: str, folder: Path, environment: Mapping[str, str], target: str = "/opt/ml/model", *options: str
) -> Iterator[Container]:
    """The one service of the compose file: `command: serve`, a terminal, the folder, read and write, and the port."""
    service = ("--interactive", "--tty", "--publish", "127.0.0.1::8080", "--volume", f"{folder}:{target}")
    variables = (word for name, value in environment.items() for word in ("--env", f"{name}={value}"))
    run = docker("run", "--detach", *service, *variables, *options, f"paretoserve:{backend}", "serve").splitlines()[-1]
    try:
        address = docker("port", run, "8080").splitlines()[0]
        with httpx.Client(base_url=f"http://{address}", timeout=60) as http:
            yield Container(run, backend, http)
    finally:
        docker("rm", "--force", run)


def wait_as_the_sdk_does(one: Container) -> None:
    for _ in range(TRIES):
        time.sleep(PAUSE_S)
        try:
            if one.http.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            continue
    pytest.fail(f"it is not ready after {TRIES * PAUSE_S} s:\n{one.log}")


@each
def test_the_sequence_of_local_mode_passes(backend: str, variant: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(variant, tmp_path / "model"))
    before = sorted(folder.rglob("*"))
    with local_endpoint(backend, folder, ENVIRONMENT) as one:
        wait_as_the_sdk_does(one)
        headers = {
            "Content-type": "application/json",
            "Accept": "application/json",
            "X-Amzn-SageMaker-Custom-Attributes": "a=1",
            "X-Amzn-SageMaker-Target-Model": "model.tar.gz",
            "X-Amzn-SageMaker-Target-Variant": "AllTraffic",
            "X-Amzn-SageMaker-Inference-Id": "order-8",
        }
        answer = one.http.post("/invocations", content=json.dumps({"inputs": TEXTS[0][0]}), headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.json()[0].keys() == {"label", "score"}
        # Local batch transform asks this first; what is not 200 it ignores.
        assert one.http.get("/execution-parameters").json()["BatchStrategy"] == "MULTI_RECORD"
        rows = one.http.post("/invocations", content="good\nbad\n", headers={"Content-type": "text/csv"})
        assert len(rows.json()) == 2
        assert "SAGEMAKER_SUBMIT_DIRECTORY is ignored" in one.log
        assert sorted(folder.rglob("*")) == before, "nothing is written beside the model, though it could be"
        began = time.monotonic()
        assert one.stop() == 0
        assert time.monotonic() - began < 30, "SageMaker would have killed it"


def test_a_container_of_many_models_loads_and_unloads_them_with_a_read_only_root(variant: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(variant, models / "m1" / "model")
    shutil.copytree(ROOT / "examples" / "own-code", models / "m2" / "model")
    environment = {"SAGEMAKER_MULTI_MODEL": "true"}
    with local_endpoint("onnxruntime", models, environment, "/opt/ml/models", *HARDENED) as one:
        wait_as_the_sdk_does(one)
        for name in ("m1", "m2"):
            told = {"model_name": name, "url": f"/opt/ml/models/{name}/model"}
            loaded = one.http.post("/models", json=told)
            assert loaded.status_code == 200, loaded.text
            asked = one.http.post(f"/models/{name}/invoke", json={"inputs": "a charming film"})
            assert asked.json()[0].keys() >= {"label"}
        assert [model["modelName"] for model in one.http.get("/models").json()["models"]] == ["m1", "m2"]
        assert one.http.post("/models", json=told).status_code == 409
        assert one.http.delete("/models/m1").status_code == 200
        assert one.http.post("/models/m1/invoke", json={"inputs": "x"}).json()["code"] == 404
