"""A real fine-tuned checkpoint and real sentences, where they are at hand beside the repository."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from handlers.backends.base import Placement
from handlers.backends.catalogue import artifact_name
from handlers.handler import load_handler
from handlers.tasks.text_classification import TextClassification
from model_store.manifest import Manifest, read_manifest
from model_store.rows import Data
from paretoserve.builds.build import BuildRequest, build
from paretoserve.campaigns.quality import served_quality
from paretoserve.hosts.process import running_server
from recipes.data.rows import load_data
from tests.environments import use_only

SHARED = Path(__file__).parents[3] / "shared"
CHECKPOINT, SST2 = SHARED / "checkpoints" / "sst2-minilm", SHARED / "data" / "glue" / "sst2"
CHECKPOINT_CORRECT, ROWS = 785, 872

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(
        not (CHECKPOINT.is_dir() and SST2.is_dir()), reason="needs ../shared with the SST-2 checkpoint and data"
    ),
]


# With artifacts of their own; TorchServe runs PyTorch's.
ENGINES = ("torch", "torchscript", "onnxruntime", "openvino", "deepsparse")


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of the two that do not fit into ours."""
    with pytest.MonkeyPatch.context() as patch:
        use_only(("deepsparse", "torchserve"), tmp_path_factory.mktemp("environments"), patch)
        yield


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory, environments: None) -> Path:
    store = tmp_path_factory.mktemp("store")
    build(BuildRequest(str(CHECKPOINT), str(SST2), ("dense",), store, backends=ENGINES))
    build(BuildRequest(str(CHECKPOINT), str(SST2), ("int8",), store))
    return store / "sst2-minilm"


TASK = TextClassification(("negative", "positive"))


@pytest.fixture(scope="module")
def data() -> Data:
    return load_data(str(SST2), TASK.target)


def correct(manifest: Manifest, backend: str) -> int:
    quality = manifest.artifacts[backend].quality
    assert quality is not None
    assert quality.n == ROWS
    assert quality.correct is not None
    return quality.correct


@pytest.mark.timeout(900)
def test_dense_keeps_the_checkpoint_s_accuracy_and_int8_stays_within_a_point(model_dir: Path) -> None:
    dense, int8 = read_manifest(model_dir / "dense"), read_manifest(model_dir / "int8")
    for backend in ENGINES:
        assert abs(correct(dense, backend) - CHECKPOINT_CORRECT) <= 0.002 * ROWS
    for backend in ("onnxruntime", "openvino"):
        assert correct(int8, backend) >= correct(dense, backend) - 0.01 * ROWS


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("variant", "backends"), [("dense", (*ENGINES, "torchserve")), ("int8", ("onnxruntime", "openvino"))]
)
def test_behind_one_port_each_engine_s_accuracy_is_the_manifest_s_to_the_sentence(
    model_dir: Path, data: Data, tmp_path: Path, variant: str, backends: tuple[str, ...]
) -> None:
    folder = model_dir / variant
    manifest = read_manifest(folder)
    served_all = [f"{folder}@{backend}" for backend in backends]
    with running_server(served_all, tmp_path / "server.log", ["--queue-deadline", "10"]) as url:
        for backend in backends:
            name = f"{variant}@{backend}"
            served = served_quality(url, data.evaluation, TASK, lambda what, part: None, name)
            assert round(served.value * ROWS) == correct(manifest, artifact_name(backend, manifest.artifacts)), name


@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", ["torch", "onnxruntime", "openvino"])
def test_answers_over_http_equal_the_engine_called_directly_whatever_else_is_in_the_batch(
    model_dir: Path, data: Data, tmp_path: Path, backend: str
) -> None:
    folder, texts = model_dir / "dense", [row.text for row in data.evaluation.rows[:320]]
    handler = load_handler(folder, read_manifest(folder), backend, Placement())
    direct = np.concatenate([handler.infer([[handler.tokenizer(text)]]) for text in texts])
    with (
        running_server([f"{folder}@{backend}"], tmp_path / "server.log", ["--queue-deadline", "10"]) as url,
        httpx.Client(base_url=url, timeout=30) as client,
        ThreadPoolExecutor(16) as pool,
    ):
        served = np.array(list(pool.map(lambda text: served_logits(client, text), texts)))
        metrics = client.get("/metrics").text
    np.testing.assert_allclose(served, direct, atol=1e-5)
    requests, calls = (
        float(metrics.split(f"paretoserve_batch_requests_{kind}{{")[1].split()[1]) for kind in ("sum", "count")
    )
    assert requests > calls, "some texts shared a call, or nothing was tested"


def served_logits(client: httpx.Client, text: str) -> list[float]:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    answer = client.post("/v2/models/dense/infer", json={"inputs": [tensor], "outputs": [{"name": "logits"}]})
    (output,) = answer.json()["outputs"]
    logits: list[float] = output["data"]
    return logits
