"""What every engine promises: the numbers of the fp32 network, whatever company a text has in its batch."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from handlers.backends import BACKENDS, open_session
from handlers.backends.base import Logits, Session, Threads
from handlers.packing import Tokens, pack
from handlers.tokenizer import TextTokenizer
from model_store.errors import BackendError
from tests.handlers.variants import ENGINES, copy_of
from tests.model_store.tiny import PAIRS, TEXTS, packed_texts, torch_logits

FILES = {"torch": "model.safetensors", "onnxruntime": "model.onnx", "openvino": "model.xml"}
EVERYTHING = (*TEXTS, *PAIRS)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def session(engine: str, dense: Path) -> Session:
    return open_session(engine, dense / FILES[engine], "fp32", Threads(streams=2))


@pytest.fixture(scope="module")
def texts(tokenizer: TextTokenizer) -> list[Tokens]:
    return [tokenizer(*text) for text in EVERYTHING]


@pytest.fixture(scope="module")
def alone(session: Session, texts: list[Tokens]) -> Logits:
    return np.concatenate([session.run(pack([[text]])) for text in texts])


def test_every_backend_is_tested_here() -> None:
    assert set(ENGINES) == set(BACKENDS)


def test_logits_are_those_of_the_fp32_network(alone: Logits, dense: Path) -> None:
    checkpoint = dense.parents[2] / "tiny"
    expected = torch_logits(checkpoint, packed_texts(checkpoint, EVERYTHING))
    assert np.ptp(expected[:, 0]) > 1e-3, "texts that all look alike would prove nothing"
    assert alone == pytest.approx(expected, abs=1e-5)
    assert alone.dtype == np.float32


def test_a_text_has_the_same_logits_alone_as_packed_with_others(
    session: Session, texts: list[Tokens], alone: Logits
) -> None:
    assert session.run(pack([texts])) == pytest.approx(alone, abs=1e-5)
    assert session.run(pack([texts[::-1]]))[::-1] == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize("cuts", [(1,), (4,), (3, 4), (2, 5, 8)])
def test_a_text_has_the_same_logits_alone_as_in_several_padded_rows(
    session: Session, texts: list[Tokens], alone: Logits, cuts: tuple[int, ...]
) -> None:
    rows = [texts[start:stop] for start, stop in zip((0, *cuts), (*cuts, len(texts)), strict=True)]
    assert session.run(pack(rows)) == pytest.approx(alone, abs=1e-5)


def test_answers_of_earlier_calls_are_not_overwritten(session: Session, texts: list[Tokens], alone: Logits) -> None:
    first = session.run(pack([[texts[0]]]))
    session.run(pack([[texts[1]]]))
    assert first == pytest.approx(alone[:1], abs=1e-5)


def test_streams_run_at_once_without_mixing_their_answers(session: Session, texts: list[Tokens], alone: Logits) -> None:
    together = threading.Barrier(2)

    def run(which: int) -> list[Logits]:
        together.wait()
        return [session.run(pack([[texts[i]]])) for i in range(which, len(texts), 2)] * 20

    with ThreadPoolExecutor(2) as streams:
        for which, found in enumerate(streams.map(run, (0, 1))):
            assert np.concatenate(found) == pytest.approx(np.tile(alone[which::2], (20, 1)), abs=1e-5)


def test_it_says_what_is_really_running(session: Session, engine: str) -> None:
    info = session.info
    assert (info.engine, info.threads) == (engine, Threads(streams=2))
    assert info.version[0].isdigit()
    assert info.executed_precision in ("float32", "fp32", "f32")


@pytest.mark.parametrize("size", [0, 100])
def test_a_damaged_file_is_an_error_of_the_backend(engine: str, dense: Path, tmp_path: Path, size: int) -> None:
    file = copy_of(dense, tmp_path / "damaged") / FILES[engine]
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(BackendError, match=rf"cannot load '{file.name}': \S+"):
        open_session(engine, file, "fp32", Threads())


# OpenVINO answers something for an index beyond the vocabulary.
@pytest.mark.parametrize("checking", ["torch", "onnxruntime"])
def test_tokens_that_the_model_does_not_know_are_an_error_of_the_backend(checking: str, dense: Path) -> None:
    session = open_session(checking, dense / FILES[checking], "fp32", Threads())
    unknown = Tokens(np.array([10**6]), np.array([0]))
    with pytest.raises(BackendError, match="failed on a batch"):
        session.run(pack([[unknown]]))


def test_arrays_of_a_wrong_shape_are_an_error_of_the_backend(session: Session) -> None:
    short_types = Tokens(np.array([2, 3, 3]), np.array([0, 0]))
    with pytest.raises(BackendError, match="failed on a batch"):
        session.run(pack([[short_types]]))


def test_a_closed_engine_can_be_opened_again(engine: str, dense: Path, texts: list[Tokens], alone: Logits) -> None:
    for _ in range(2):
        session = open_session(engine, dense / FILES[engine], "fp32", Threads())
        assert session.run(pack([texts])) == pytest.approx(alone, abs=1e-5)
        session.close()


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_a_precision_that_the_engine_cannot_run_is_refused_with_those_it_can(backend: str, dense: Path) -> None:
    with pytest.raises(BackendError, match="cannot run 'fp64'; the precisions are fp32"):
        open_session(backend, dense / FILES[backend], "fp64", Threads())


def test_torch_refuses_what_is_said_to_be_padded(dense: Path) -> None:
    with pytest.raises(BackendError, match=r"'model\.safetensors' is said to be padded"):
        open_session("torch", dense / FILES["torch"], "fp32", Threads(), "padded")


def test_an_unknown_backend_is_answered_with_the_known_ones(dense: Path) -> None:
    with pytest.raises(BackendError, match="no backend 'tensorrt'; choose one of torch, onnxruntime, openvino"):
        open_session("tensorrt", dense / "model.onnx", "fp32", Threads())


def test_a_backend_that_is_not_installed_says_what_to_install(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "torch", "there_is_no_such_engine")
    with pytest.raises(BackendError, match=r"not installed here .*pip install 'paretoserve\[torch\]'"):
        open_session("torch", dense / "model.safetensors", "fp32", Threads())
