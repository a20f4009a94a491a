from pathlib import Path

import numpy as np
import pytest

from handlers.backends.base import Threads
from handlers.handler import golden_logits, load_handler
from model_store.data import Row, Split
from model_store.errors import ParetoServeError
from model_store.manifest import read_manifest, verify_artifact
from paretoserve.build import BuildRequest, build, golden_inputs


def test_a_built_variant_has_an_artifact_for_every_engine_with_its_quality(tiny_store: Path) -> None:
    manifest = read_manifest(tiny_store / "tiny" / "dense")
    assert set(manifest.artifacts) == {"torch", "onnxruntime", "openvino"}
    for artifact in manifest.artifacts.values():
        assert artifact.quality is not None
        assert artifact.quality.n == 6
        assert artifact.quality.value == artifact.quality.correct / 6


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
    reference = golden_logits(load_handler(folder, manifest, "torch", Threads()))
    for artifact in manifest.artifacts.values():
        np.testing.assert_allclose(artifact.golden_logits, reference, atol=1e-6)


def test_golden_inputs_reach_from_the_shortest_to_the_longest_text() -> None:
    rows = tuple(Row("x" * n, None, 0) for n in (5, 1, 9, 3, 7))
    assert [one.text for one in golden_inputs(Split("d", "dev", rows))] == ["x", "xxx", "xxxxx", "x" * 9]


def test_an_unknown_recipe_is_told_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ParetoServeError, match="no recipe 'int3'; choose from dense, int8"):
        build(BuildRequest("no-such-checkpoint", "no-such-data", ("int3",), tmp_path))


def test_a_failed_build_leaves_no_variant_behind(tmp_path: Path, tiny_store: Path) -> None:
    checkpoint = tiny_store / "tiny" / "dense"
    data = tmp_path / "dev.tsv"
    data.write_text("words\tlabel\na film\t1\n")
    with pytest.raises(ParetoServeError, match="column"):
        build(BuildRequest(str(checkpoint), str(data), ("dense",), tmp_path / "store"))
    assert not list(tmp_path.glob("store/**/variant.json"))
