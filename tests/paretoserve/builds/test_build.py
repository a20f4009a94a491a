import sys
from pathlib import Path
from statistics import mean

import numpy as np
import pytest

from handlers.backends.base import Placement
from handlers.handler import golden_logits, load_handler
from model_store.errors import DataError, EnvironmentUnavailable, ParetoServeError, RecipeError
from model_store.manifest import read_manifest
from model_store.opened import verify_artifact
from model_store.rows import Row, Split
from networks.checkpoint import load_checkpoint
from networks.encoder.graph import onnx_graph
from paretoserve.builds.artifacts import golden_inputs
from paretoserve.builds.build import BuildRequest, backends_of, build, recipe_of
from paretoserve.environments.catalogue import ENGINES, Engine
from paretoserve.measuring import logits as measurement
from recipes.export import variant
from recipes.finetuning.scores import wilson
from tests.paretoserve.finetuning.films import write_films
from tests.tiny import tiny_checkpoint


def test_a_built_variant_has_an_artifact_for_every_engine_with_its_quality(tiny_store: Path) -> None:
    manifest = read_manifest(tiny_store / "tiny" / "dense")
    assert set(manifest.artifacts) == {"torch", "onnxruntime", "openvino"}
    for artifact in manifest.artifacts.values():
        assert artifact.quality is not None
        assert artifact.quality.n == 6
        assert artifact.quality.correct is not None
        assert (artifact.quality.metric, artifact.quality.value) == ("accuracy", artifact.quality.correct / 6)
        assert artifact.quality.interval == pytest.approx(wilson(artifact.quality.correct, 6))


def test_a_variant_says_how_it_was_made_and_how_long_texts_are(tiny_store: Path) -> None:
    manifest = read_manifest(tiny_store / "tiny" / "dense")
    assert (manifest.technique.recipe, manifest.lineage) == ("dense", [])
    assert len(manifest.token_lengths) == 32
    assert manifest.seconds is not None
    assert manifest.seconds > 0
    # Two layers of 4 * 32 * 32 + 2 * 32 * 64, and scores with and mixtures of the tokens of a text.
    assert manifest.macs_per_token == 2 * (8192 + 2 * round(mean(manifest.token_lengths)) * 32)
    assert 0 < manifest.token_lengths[0] < manifest.token_lengths[-1] <= manifest.max_tokens


def test_data_without_a_train_split_is_told_before_anything_is_built(tiny_data: Path, tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    with pytest.raises(DataError, match=r"^Recipe 'int8' needs a train split, .*, or --calibrate-on-evaluation"):
        build(BuildRequest(str(checkpoint), str(tiny_data), ("dense", "int8"), tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_what_a_checkpoint_is_too_small_for_is_told_before_anything_is_built(tmp_path: Path) -> None:
    checkpoint, data = tiny_checkpoint(tmp_path / "tiny"), write_films(tmp_path / "films")
    asked = BuildRequest(str(checkpoint), str(data), ("dense", "sparse:50+layers:9"), tmp_path / "store")
    with pytest.raises(RecipeError, match=r"^layers:9 asks for more layers than the 2 .*; give from 1 to 2\.$"):
        build(asked)
    assert not (tmp_path / "store").exists()


def test_every_file_of_an_artifact_and_the_tokenizer_are_under_its_hash(tiny_store: Path) -> None:
    folder = tiny_store / "tiny" / "dense"
    artifacts = read_manifest(folder).artifacts
    assert set(artifacts["openvino"].sha256) == {"model.xml", "model.bin", "tokenizer.json"}
    assert set(artifacts["torch"].sha256) == {"model.safetensors", "config.json", "tokenizer.json"}
    for artifact in artifacts.values():
        verify_artifact(artifact, folder)


def test_all_engines_of_a_dense_variant_have_the_reference_s_golden_logits(tiny_store: Path) -> None:
    folder = tiny_store / "tiny" / "dense"
    manifest = read_manifest(folder)
    reference = golden_logits(load_handler(folder, manifest, "torch", Placement()))
    for artifact in manifest.artifacts.values():
        np.testing.assert_allclose(artifact.golden_logits, reference, atol=1e-6)


def test_golden_inputs_reach_from_the_shortest_to_the_longest_text() -> None:
    rows = tuple(Row("x" * n, None, 0) for n in (5, 1, 9, 3, 7))
    assert [one.text for one in golden_inputs(Split("d", "dev", rows))] == ["x", "xxx", "xxxxx", "x" * 9]


def test_an_unknown_recipe_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ParetoServeError, match=r"no 'int3', perhaps 'int8' is meant; accepted are .*dense, bf16, int8"):
        build(BuildRequest("no-such-checkpoint", "no-such-data", ("int3",), tmp_path))


def test_artifacts_are_written_for_the_backends_that_are_named(tiny_data: Path, tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    asked = BuildRequest(str(checkpoint), str(tiny_data), ("dense",), tmp_path / "store", backends=("onnxruntime",))
    (folder,) = build(asked)
    assert set(read_manifest(folder).artifacts) == {"onnxruntime"}
    assert {file.name for file in folder.iterdir()} == {
        "variant.json",
        "tokenizer.json",
        "model.onnx",
        "predictions.json",
    }


def test_without_names_a_recipe_writes_what_it_can_of_the_usual_ones() -> None:
    assert backends_of(recipe_of("dense"), None) == ("torch", "onnxruntime", "openvino")
    assert backends_of(recipe_of("int8"), None) == ("onnxruntime", "openvino")


def test_a_backend_that_a_recipe_writes_nothing_for_is_told_before_any_work(tmp_path: Path) -> None:
    sentence = r"^Recipe 'int8' writes nothing for backend 'torch'; it can write for onnxruntime, openvino"
    with pytest.raises(ParetoServeError, match=sentence):
        build(BuildRequest("no-such-checkpoint", "no-such-data", ("dense", "int8"), tmp_path, backends=("torch",)))


@pytest.mark.timeout(300)
def test_what_int8_may_lose_is_measured_on_each_engine_and_kept(tiny_data: Path, tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    (tmp_path / "data").mkdir()
    lines = tiny_data.read_text().splitlines(keepends=True)
    (tmp_path / "data" / "dev.tsv").write_text("".join(lines))
    (tmp_path / "data" / "train.tsv").write_text("".join(lines[:1] + 5 * lines[1:]))
    asked = BuildRequest(str(checkpoint), str(tmp_path / "data"), ("int8",), tmp_path / "store", max_drop=100.0)
    (folder,) = build(asked)
    kept = read_manifest(folder).technique.parameters
    assert (kept["max_drop"], kept["validation_rows"], kept["calibration_texts"]) == (100.0, 3, 27)
    assert kept["in_fp32"] == {"onnxruntime": [], "openvino": []}
    assert [(one["backend"], one["qat"], one["in_fp32"]) for one in kept["tried"]] == [
        ("onnxruntime", False, 0),
        ("openvino", False, 0),
    ]


def test_what_int8_may_lose_needs_a_train_split(tiny_data: Path, tmp_path: Path) -> None:
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    with pytest.raises(DataError, match=r"^Recipe 'int8' needs a train split, .*, as --max-drop is measured on rows"):
        build(BuildRequest(str(checkpoint), str(tiny_data), ("int8",), tmp_path / "store", max_drop=1.0))


def test_an_engine_that_is_missing_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "openvino", Engine("openvino", "there_is_no_such_engine"))
    with pytest.raises(EnvironmentUnavailable, match="run: paretoserve env create openvino"):
        build(BuildRequest("no-such-checkpoint", "no-such-data", ("int8",), tmp_path))


def test_each_artifact_is_measured_by_the_interpreter_that_will_serve_it(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = tmp_path / "used"

    def notes(backend: str) -> str:
        python = tmp_path / backend
        python.write_text(f'#!/bin/sh\necho {backend} >> {used}\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        return str(python)

    monkeypatch.setattr(measurement, "interpreter_for", notes)
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    backends = ("onnxruntime", "openvino")
    build(BuildRequest(str(checkpoint), str(tiny_data), ("dense",), tmp_path / "store", backends=backends))
    assert used.read_text().split() == ["onnxruntime", "openvino", "torch"], "the last is for the reference"


def test_an_artifact_that_differs_from_its_checkpoint_is_not_written(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another graph than the checkpoint's.
    other = onnx_graph(load_checkpoint(tiny_checkpoint(tmp_path / "other", seed=1)))
    monkeypatch.setattr(variant, "onnx_graph", lambda model: other)
    checkpoint = tiny_checkpoint(tmp_path / "tiny")
    asked = BuildRequest(str(checkpoint), str(tiny_data), ("dense",), tmp_path / "store", backends=("onnxruntime",))
    with pytest.raises(ParetoServeError, match="The onnxruntime artifact differs from the checkpoint"):
        build(asked)
    assert not list(tmp_path.glob("store/**/variant.json"))


def test_a_failed_build_leaves_no_variant_behind(tmp_path: Path, tiny_store: Path) -> None:
    checkpoint = tiny_store / "tiny" / "dense"
    data = tmp_path / "dev.tsv"
    data.write_text("words\tlabel\na film\t1\n")
    with pytest.raises(ParetoServeError, match="column"):
        build(BuildRequest(str(checkpoint), str(data), ("dense",), tmp_path / "store"))
    assert not list(tmp_path.glob("store/**/variant.json"))
