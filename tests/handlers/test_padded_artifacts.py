"""What a user's own ONNX export answers, on every engine that reads ONNX: the numbers of the fp32 network."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from handlers.backends.base import ArtifactFile, Logits, Placement
from handlers.backends.catalogue import open_session
from handlers.handler import Handler, load_handler
from handlers.inferred import manifest_of
from handlers.payloads.request import RawRequest
from handlers.tokens.packing import Tokens
from model_store.errors import BackendError, GoldenMismatch
from model_store.manifest import GoldenInput
from tests.exported import AS_USUAL, Export, exported
from tests.handlers.variants import write_code
from tests.tiny import PAIRS, TEXTS, packed_texts, torch_logits

ENGINES = ("onnxruntime", "openvino")
EVERYTHING = (*TEXTS, *PAIRS)
EXPORTS = {
    "as usual": AS_USUAL,
    "int32": Export(dtype=TensorProto.INT32),
    "output of another name": Export(output="output_0"),
    "batch fixed": Export(rows=4),
    "batch of one": Export(rows=1),
    "width fixed": Export(width=24),
    "all fixed": Export(rows=2, width=64),
}

pytestmark = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(scope="module")
def checkpoint(dense: Path) -> Path:
    return dense.parents[2] / "tiny"


@pytest.fixture(scope="module")
def expected(checkpoint: Path) -> Logits:
    return torch_logits(checkpoint, packed_texts(checkpoint, EVERYTHING))


def opened(folder: Path, engine: str) -> Handler:
    return load_handler(folder, manifest_of(folder), engine, Placement())


def tokenized(handler: Handler) -> list[Tokens]:
    return [handler.tokenizer(*text) for text in EVERYTHING]


@pytest.mark.parametrize("export", EXPORTS.values(), ids=EXPORTS)
def test_texts_have_the_logits_of_the_network_together_as_alone(
    engine: str, export: Export, checkpoint: Path, expected: Logits, tmp_path: Path
) -> None:
    handler = opened(exported(checkpoint, tmp_path / "mine", export), engine)
    texts = tokenized(handler)
    assert handler.infer([[text] for text in texts]) == pytest.approx(expected, abs=1e-5)
    assert np.concatenate([handler.infer([[text]]) for text in texts]) == pytest.approx(expected, abs=1e-5)
    assert handler.infer([texts[::-1]])[::-1] == pytest.approx(expected, abs=1e-5)


def test_a_graph_without_token_types_is_served_without_them(
    engine: str, checkpoint: Path, expected: Logits, tmp_path: Path
) -> None:
    without = Export(inputs=("input_ids", "attention_mask"))
    handler = opened(exported(checkpoint, tmp_path / "mine", without), engine)
    found = handler.infer([tokenized(handler)])
    # It cannot tell the second text of a pair from the first.
    assert found[: len(TEXTS)] == pytest.approx(expected[: len(TEXTS)], abs=1e-5)
    assert np.abs(found - expected)[len(TEXTS) :].max() > 1e-3


def test_texts_are_cut_at_the_width_that_the_graph_fixes(engine: str, checkpoint: Path, tmp_path: Path) -> None:
    handler = opened(exported(checkpoint, tmp_path / "mine", Export(width=24)), engine)
    assert handler.manifest.max_tokens == 24
    prepared = handler.prepare(RawRequest(msgspec.json.encode({"inputs": ["short", "good " * 60]})))
    assert prepared.truncated == (1,)
    assert [len(text) for text in prepared.windows] == [3, 24]
    assert np.shape(handler.infer([prepared.windows])) == (2, 2)


def test_no_row_is_wider_than_the_model_has_positions_for(engine: str, checkpoint: Path, tmp_path: Path) -> None:
    folder = exported(checkpoint, tmp_path / "mine")
    handler = load_handler(folder, msgspec.structs.replace(manifest_of(folder), max_tokens=43), engine, Placement())
    assert np.shape(handler.infer([[handler.tokenizer("good " * 60)]])) == (1, 2)
    assert handler.grid is not None
    assert handler.grid.shape(1, 43) == (1, 43)


@pytest.mark.parametrize(
    ("export", "padding"),
    [
        (AS_USUAL, {"onnxruntime": 3, "openvino": 2 * 8 - 9}),
        (Export(rows=4), {"onnxruntime": 4 * 6 - 9, "openvino": 4 * 8 - 9}),
        (Export(rows=2, width=24), dict.fromkeys(ENGINES, 2 * 24 - 9)),
        (Export(rows=1, width=24), dict.fromkeys(ENGINES, 2 * 24 - 9)),
    ],
)
def test_what_is_computed_beyond_the_texts_is_counted_as_padding(
    engine: str, export: Export, padding: dict[str, int], checkpoint: Path, tmp_path: Path
) -> None:
    handler = opened(exported(checkpoint, tmp_path / "mine", export), engine)
    rows = [[handler.tokenizer("good")], [handler.tokenizer("a very good film")]]
    assert [len(text) for row in rows for text in row] == [3, 6]
    assert handler.padding_tokens(rows) == padding[engine]


def test_a_graph_of_another_layout_is_refused_with_what_it_takes(engine: str, dense: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"'model\.onnx' takes .*segment_ids \(\?, \?\).*; a padded class"):
        open_session(engine, ArtifactFile(dense / "model.onnx", "fp32", "padded"), Placement())
    checkpoint = dense.parents[2] / "tiny"
    mine = exported(checkpoint, tmp_path / "mine") / "model.onnx"
    with pytest.raises(BackendError, match=r"takes .*attention_mask \(\?, \?\).*; a packed classifier takes"):
        open_session(engine, ArtifactFile(mine, "fp32"), Placement())


def test_inputs_of_another_type_are_refused_by_name(engine: str, checkpoint: Path, tmp_path: Path) -> None:
    folder = exported(checkpoint, tmp_path / "mine", Export(dtype=TensorProto.FLOAT))
    with pytest.raises(BackendError, match=r"takes input_ids as f\w+; accepted are int64 and int32"):
        opened(folder, engine)


def test_a_classifier_of_other_labels_is_told_by_its_first_answer(
    engine: str, checkpoint: Path, tmp_path: Path
) -> None:
    folder = exported(checkpoint, tmp_path / "mine")
    other = msgspec.structs.replace(manifest_of(folder), task_settings={"labels": ["a", "b", "c"]})
    handler = load_handler(folder, other, engine, Placement())
    with pytest.raises(BackendError, match=r"answered \(\d, 2\) where \(texts, numbers\) = \(\d, 3\) was due"):
        handler.infer([[handler.tokenizer("good")]])


def test_golden_inputs_are_replayed_where_a_manifest_has_them(
    engine: str, checkpoint: Path, expected: Logits, tmp_path: Path
) -> None:
    folder = exported(checkpoint, tmp_path / "mine")
    manifest = manifest_of(folder)
    for off, outcome in ((0.0, None), (0.5, GoldenMismatch)):
        golden = (expected[:2] + off).astype(float).tolist()
        artifact = msgspec.structs.replace(manifest.artifacts[engine], golden_logits=golden)
        told = msgspec.structs.replace(
            manifest, golden=[GoldenInput(*text) for text in TEXTS[:2]], artifacts={engine: artifact}
        )
        if outcome is None:
            load_handler(folder, told, engine, Placement())
        else:
            with pytest.raises(outcome):
                load_handler(folder, told, engine, Placement())


def test_their_own_predict_fn_is_given_the_padded_classifier(engine: str, checkpoint: Path, tmp_path: Path) -> None:
    folder = exported(checkpoint, tmp_path / "mine")
    write_code(folder, "def predict_fn(data, model): return model(data['inputs'])\n")
    handler = opened(folder, engine)
    answer = handler.run_alone(handler.prepare(RawRequest(b'{"inputs": ["good", "a bad film"]}')))
    assert len(msgspec.json.decode(answer.body)) == 2


def test_weights_that_lie_beside_the_graph_are_found(
    engine: str, checkpoint: Path, expected: Logits, tmp_path: Path
) -> None:
    folder = exported(checkpoint, tmp_path / "mine")
    graph = onnx.load(folder / "model.onnx")
    onnx.save(graph, folder / "model.onnx", save_as_external_data=True, location="model.onnx_data")
    handler = opened(folder, engine)
    assert "model.onnx_data" in handler.manifest.artifacts[engine].sha256
    assert handler.infer([tokenized(handler)]) == pytest.approx(expected, abs=1e-5)
