"""What engines say that they execute, of variants whose operators are known."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from handlers.backends.base import ArtifactFile, Placement, SessionInfo
from handlers.backends.catalogue import open_session
from model_store.errors import BackendError
from tests.conftest import BuiltOnce
from tests.handlers.variants import shared_tiny

LAYERS = 2


Variant = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def variant(built_once: BuiltOnce) -> Variant:
    """The variant of a recipe for a backend."""
    return partial(shared_tiny, built_once)


def info_of(folder: Path, backend: str, file: str, precision: str) -> SessionInfo:
    session = open_session(backend, ArtifactFile(folder / file, precision), Placement())
    session.close()
    return session.info


def test_onnxruntime_counts_the_operators_that_it_executes(variant: Variant) -> None:
    info = info_of(variant("dense", "onnxruntime"), "onnxruntime", "model.onnx", "fp32")
    assert (info.operators["Softmax"], info.operators["BiasGelu"]) == (LAYERS, LAYERS)
    assert not info.integer_operators
    assert info.executed_precision == "fp32"


def test_onnxruntime_counts_those_of_an_int8_graph_that_are_integer(variant: Variant) -> None:
    info = info_of(variant("int8", "onnxruntime"), "onnxruntime", "model.onnx", "int8")
    assert info.integer_operators == {"MatMulIntegerToFloat": 4 * LAYERS}, "query with key and value, output, two more"
    assert info.operators["MatMulIntegerToFloat"] == 4 * LAYERS
    assert info.executed_precision == "int8"


def test_onnxruntime_leaves_no_profile_behind(
    variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    info_of(variant("dense", "onnxruntime"), "onnxruntime", "model.onnx", "fp32")
    assert not list(tmp_path.iterdir())


def test_openvino_counts_the_operators_of_the_graph_it_compiled(variant: Variant) -> None:
    dense = info_of(variant("dense", "openvino"), "openvino", "model.xml", "fp32")
    int8 = info_of(variant("int8", "openvino"), "openvino", "model.xml", "int8")
    linear = 4 * LAYERS + 2
    assert dense.operators["FullyConnected"] == linear
    assert not dense.integer_operators
    assert 0 < int8.integer_operators["FullyConnected"] <= linear


@pytest.mark.parametrize(("backend", "file"), [("torch", "model.safetensors"), ("torchscript", "model.pt")])
def test_pytorch_tells_the_precision_of_its_weights(variant: Variant, backend: str, file: str) -> None:
    assert info_of(variant("dense", backend), backend, file, "fp32").executed_precision == "float32"
    assert info_of(variant("bf16", backend), backend, file, "bf16").executed_precision == "bfloat16"


def test_pytorch_counts_modules_and_torchscript_operators(variant: Variant) -> None:
    eager = info_of(variant("dense", "torch"), "torch", "model.safetensors", "fp32")
    script = info_of(variant("dense", "torchscript"), "torchscript", "model.pt", "fp32")
    linear = 6 * LAYERS + 2
    assert eager.operators["Linear"] == script.operators["linear"] == linear


@pytest.mark.parametrize("backend", ["torch", "torchscript", "onnxruntime", "openvino"])
def test_every_engine_names_its_instruction_set(variant: Variant, backend: str) -> None:
    files = {"torch": "model.safetensors", "torchscript": "model.pt", "onnxruntime": "model.onnx"}
    info = info_of(variant("dense", backend), backend, files.get(backend, "model.xml"), "fp32")
    assert info.instruction_set.startswith(("avx", "amx", "sse", "default", "no avx")), info.instruction_set


def test_bfloat16_weights_take_half_the_room(variant: Variant) -> None:
    sizes = [(variant(name, "torch") / "model.safetensors").stat().st_size for name in ("bf16", "dense")]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_gpu_that_is_not_there_is_named(variant: Variant) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(BackendError, match="finds no GPU here; serve the variant @torch"):
        info_of(variant("dense", "torch"), "torch-cuda", "model.safetensors", "fp32")


def test_a_compiler_that_is_not_there_is_named(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BackendError, match="no-such-compiler is not here; install it, or use @torch"):
        open_session(
            "torch-compiled", ArtifactFile(variant("dense", "torch") / "model.safetensors", "fp32"), Placement()
        )
