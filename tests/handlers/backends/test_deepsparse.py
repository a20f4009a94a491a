"""The real DeepSparse, in its own environment. What every engine promises is in `tests.backends.conformance`."""

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from handlers.backends.base import Logits
from handlers.tokens.packing import PackedBatch, Tokens, pack
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import BackendError, EnvironmentUnavailable
from networks.checkpoint import load_checkpoint
from networks.encoder.graph import onnx_graph
from networks.encoder.onnx_operators import DEEPSPARSE
from recipes.export.onnx_int8 import quantize_onnx
from recipes.export.variant import ExportInput, export
from serving.front.settings import VariantSpec
from tests.backends.engine_process import Config
from tests.backends.remote import ROOT, RemoteSession, remote_session
from tests.environments import created, use_only
from tests.handlers.variants import build_tiny
from tests.serving.front_server import front
from tests.tiny import PAIRS, TEXTS, packed_texts, tiny_checkpoint, torch_logits

EVERYTHING = (*TEXTS, *PAIRS)

# The first test that needs the environment makes it.
pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return created("deepsparse")
    except EnvironmentUnavailable as exc:
        pytest.skip(f"the environment of DeepSparse cannot be made here: {exc}")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def artifact(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp("dense")
    given = ExportInput(checkpoint, TEXTS, out_dir, lambda step, done: None, backends=("deepsparse",))
    return out_dir / export(given, "fp32").artifacts["deepsparse"].file


@pytest.fixture(scope="module")
def int8_artifact(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out_dir = tmp_path_factory.mktemp("int8")
    given = ExportInput(checkpoint, EVERYTHING, out_dir, lambda step, done: None, backends=("deepsparse",))
    return out_dir / export(given, "int8").artifacts["deepsparse"].file


def config(artifact: Path, precision: str = "fp32", streams: int = 2) -> Config:
    return Config(backend="deepsparse", artifact=str(artifact), precision=precision, layout="packed", streams=streams)


@pytest.fixture(scope="module")
def session(python: Path, artifact: Path) -> Iterator[RemoteSession]:
    with remote_session(python, config(artifact)) as session:
        yield session


@pytest.fixture(scope="module")
def texts(checkpoint: Path) -> list[Tokens]:
    tokenizer = TextTokenizer(checkpoint / "tokenizer.json", 64)
    return [tokenizer(*text) for text in EVERYTHING]


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> Logits:
    return torch_logits(checkpoint, packed_texts(checkpoint, EVERYTHING))


def refused(python: Path, artifact: Path, precision: str = "fp32") -> str:
    """What is said of a file that is not opened."""
    with pytest.raises(BackendError) as told, remote_session(python, config(artifact, precision)):
        pass
    return str(told.value)


def test_nearly_all_operators_are_run_by_the_engine_itself(session: RemoteSession) -> None:
    assert float(session.info.details["supported_operators"]) > 0.95


def test_it_says_what_is_really_running(session: RemoteSession) -> None:
    info = session.info
    assert (info.engine, info.version, info.executed_precision) == ("deepsparse", "1.8.0", "fp32")
    assert info.instruction_set.startswith("avx")
    assert info.width_step == 64


def test_an_int8_graph_is_run_in_integers_by_the_engine_itself(
    python: Path, int8_artifact: Path, texts: list[Tokens], expected: Logits
) -> None:
    with remote_session(python, config(int8_artifact, "int8")) as session:
        assert session.info.executed_precision == "int8"
        assert float(session.info.details["supported_operators"]) > 0.95
        assert session.run(pack([texts])) == pytest.approx(expected, abs=0.1)


def test_texts_in_one_row_are_answered_as_by_the_fp32_network(
    session: RemoteSession, texts: list[Tokens], expected: Logits
) -> None:
    assert np.ptp(expected[:, 0]) > 1e-3, "texts that all look alike would prove nothing"
    assert session.run(pack([texts], 64)) == pytest.approx(expected, abs=1e-5)


def test_rows_of_any_width_and_number_are_answered(
    session: RemoteSession, texts: list[Tokens], expected: Logits
) -> None:
    assert session.run(pack([texts[:2], texts[2:3], texts[3:]])) == pytest.approx(expected, abs=1e-5)


def test_more_texts_than_a_row_has_places_for_are_answered(session: RemoteSession) -> None:
    text = Tokens(np.array([2, 7]), np.zeros(2, np.int64))
    one, many = session.run(pack([[text]])), session.run(pack([[text] * 32], 64))
    assert many == pytest.approx(np.repeat(one, 32, axis=0), abs=1e-5)


def test_texts_may_be_asked_for_in_any_order(session: RemoteSession, texts: list[Tokens], expected: Logits) -> None:
    batch, order = pack([texts[:4], texts[4:]]), [7, 0, 3, 5]
    arrays = batch.inputs() | {"cls_index": batch.cls_index[order]}
    assert session.run(PackedBatch(**arrays)) == pytest.approx(expected[order], abs=1e-5)


@pytest.mark.parametrize("name", ["input_ids", "position_ids", "token_type_ids", "cls_index"])
@pytest.mark.parametrize("value", [-1, 10**6])
def test_an_index_beyond_its_table_is_an_error_and_not_the_end_of_the_process(
    session: RemoteSession, texts: list[Tokens], expected: Logits, name: str, value: int
) -> None:
    batch = pack([texts])
    arrays = batch.inputs() | {name: np.full_like(batch.inputs()[name], value)}
    with pytest.raises(BackendError, match=f"failed on a batch: {name} are {value} to {value}, and may be 0 to"):
        session.run(PackedBatch(**arrays))
    assert session.run(pack([texts])) == pytest.approx(expected, abs=1e-5)


def test_the_file_is_not_written_to(python: Path, artifact: Path, texts: list[Tokens]) -> None:
    before = hashlib.sha256(artifact.read_bytes()).hexdigest()
    with remote_session(python, config(artifact)) as session:
        session.run(pack([texts], 64))
        session.run(pack([texts * 3], 64))
    assert hashlib.sha256(artifact.read_bytes()).hexdigest() == before


@pytest.mark.parametrize("content", [b"", b"no graph", b"\x08\x07\x12\x04"], ids=["empty", "text", "cut short"])
def test_a_file_that_is_no_graph_is_refused_by_name(python: Path, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.deepsparse.onnx"
    file.write_bytes(content)
    assert refused(python, file).startswith("DeepSparse cannot load 'model.deepsparse.onnx': ")


def test_the_graph_of_another_engine_is_refused(python: Path, checkpoint: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    onnx.save(onnx_graph(load_checkpoint(checkpoint)), file)
    assert refused(python, file).startswith("DeepSparse cannot load 'model.onnx': ")


def test_a_graph_with_other_inputs_is_refused_with_those_accepted(
    python: Path, checkpoint: Path, tmp_path: Path
) -> None:
    graph = onnx_graph(load_checkpoint(checkpoint), DEEPSPARSE)
    graph.graph.input.pop()
    graph.graph.input.append(onnx.helper.make_tensor_value_info("first", onnx.TensorProto.INT64, ["requests"]))
    next(node for node in graph.graph.node if node.name == "pooler.first").input[1] = "first"
    onnx.save(graph, tmp_path / "model.onnx")
    assert "a packed classifier takes input_ids, position_ids" in refused(python, tmp_path / "model.onnx")


def test_rounded_embeddings_are_refused_before_they_end_the_process(
    python: Path, checkpoint: Path, tmp_path: Path
) -> None:
    graph = onnx_graph(load_checkpoint(checkpoint), DEEPSPARSE)
    rounded = quantize_onnx(graph, [packed_texts(checkpoint)])
    onnx.save(rounded, tmp_path / "model.onnx")
    assert "is a table of bytes; leave embeddings in floats" in refused(python, tmp_path / "model.onnx", "int8")


def test_a_precision_that_the_engine_cannot_run_is_refused_with_those_it_can(python: Path, artifact: Path) -> None:
    assert refused(python, artifact, "bf16") == "DeepSparse cannot run 'bf16'; the precisions are fp32, int8."


def test_padded_rows_are_refused(python: Path, artifact: Path) -> None:
    padded = Config(backend="deepsparse", artifact=str(artifact), precision="fp32", layout="padded", streams=1)
    with (
        pytest.raises(BackendError, match="said to be padded, and DeepSparse runs packed graphs only"),
        remote_session(python, padded),
    ):
        pass


# Opens the artifact with the variable set as an operator might have it, and says what is left of its effects.
AFTER_OPENING = """
import json, logging, os, sys
from pathlib import Path
from handlers.backends.catalogue import open_session
from handlers.backends.base import ArtifactFile, Placement
open_session("deepsparse", ArtifactFile(Path(sys.argv[1]), "fp32"), Placement(streams=2))
from deepsparse.analytics import deepsparse_analytics
threads = [sorted(os.sched_getaffinity(int(one))) for one in os.listdir("/proc/self/task")]
print(json.dumps({
    "reports": not deepsparse_analytics._disabled,
    "pinned": [cores for cores in threads if cores != sorted(os.sched_getaffinity(0))],
    "left": os.listdir(os.environ["TMPDIR"]),
}))
"""


def test_it_reports_nothing_pins_no_thread_and_leaves_no_file(python: Path, artifact: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-c", AFTER_OPENING, artifact],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path), "NM_DISABLE_ANALYTICS": ""},
        stdout=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == {"reports": False, "pinned": [], "left": []}


def test_variants_are_built_and_served_in_its_environment(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (environments := tmp_path / "environments").mkdir()
    use_only(["deepsparse"], environments, monkeypatch)
    folders = build_tiny(tmp_path, "dense", "int8", backends=("deepsparse",))
    specs = [VariantSpec(folder.name, folder, "deepsparse", str(python)) for folder in folders]
    with front(specs, streams=2, batch_tokens=64) as served:
        for name, precision in (("dense", "fp32"), ("int8", "int8")):
            assert served.ask(["great", "it is not a good movie !"], variant=name).status_code == 200
            assert served.variants()[name]["engine"]["executed_precision"] == precision
