"""What engines refuse, and how it is told; what they promise is in `tests/backends/conformance.py`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.catalogue import BACKENDS, open_session
from handlers.tokens.packing import Tokens, pack
from model_store.errors import BackendError

FILES = {"torch": "model.safetensors", "onnxruntime": "model.onnx", "openvino": "model.xml"}


# OpenVINO answers something for an index beyond the vocabulary.
@pytest.mark.parametrize("checking", ["torch", "onnxruntime"])
def test_tokens_that_the_model_does_not_know_are_an_error_of_the_backend(checking: str, dense: Path) -> None:
    session = open_session(checking, ArtifactFile(dense / FILES[checking], "fp32"), Placement())
    unknown = Tokens(np.array([10**6]), np.array([0]))
    with pytest.raises(BackendError, match="failed on a batch"):
        session.run(pack([[unknown]]))


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_precision_that_the_engine_cannot_run_is_refused_with_those_it_can(backend: str, dense: Path) -> None:
    with pytest.raises(BackendError, match="cannot run 'fp64'; the precisions are fp32"):
        open_session(backend, ArtifactFile(dense / FILES[backend], "fp64"), Placement())


def test_torch_refuses_what_is_said_to_be_padded(dense: Path) -> None:
    with pytest.raises(BackendError, match=r"'model\.safetensors' is said to be padded"):
        open_session("torch", ArtifactFile(dense / FILES["torch"], "fp32", "padded"), Placement())


def test_an_unknown_backend_is_answered_with_the_known_ones(dense: Path) -> None:
    with pytest.raises(BackendError, match="no backend 'tensorrt'; choose one of torch, torch-compiled, "):
        open_session("tensorrt", ArtifactFile(dense / "model.onnx", "fp32"), Placement())


def test_a_backend_that_is_not_installed_says_what_to_install(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "torch", replace(BACKENDS["torch"], module="there_is_no_such_engine"))
    with pytest.raises(BackendError, match=r"not installed here .* run: paretoserve env create torch"):
        open_session("torch", ArtifactFile(dense / "model.safetensors", "fp32"), Placement())


def test_a_backend_that_no_environment_is_made_for_is_not_advised_to_make_one(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "torch-cuda", replace(BACKENDS["torch-cuda"], module="there_is_no_such_engine"))
    with pytest.raises(
        BackendError, match=r"not installed here .* install it into the interpreter that runs paretoserve\.$"
    ):
        open_session("torch-cuda", ArtifactFile(dense / "model.safetensors", "fp32"), Placement())
