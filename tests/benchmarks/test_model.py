from pathlib import Path

import pytest

from benchmarks.harness import model, sentences
from model_store.manifest import read_manifest


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No checkpoint at hand, and one of the benchmark's making that is quickly built."""
    monkeypatch.setattr(model, "CHECKPOINT", tmp_path / "none")
    for module in (model, sentences):
        monkeypatch.setattr(module, "SST2", tmp_path / "none")
    monkeypatch.setattr(sentences, "GENERATED", 40)
    monkeypatch.setattr(model, "RUNS", tmp_path)
    monkeypatch.setattr(model, "STORE", tmp_path / "store")
    monkeypatch.setattr(model, "BENCHMARK", model.TINY)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_without_a_checkpoint_one_with_random_weights_is_made_and_said_to_be_so() -> None:
    made = model.benchmark_model()
    assert "random weights" in made.source
    folder = made.variant("dense")
    manifest = read_manifest(folder)
    assert manifest.max_tokens == 128
    assert "onnxruntime" in manifest.artifacts
    built_at_ns = (folder / "variant.json").stat().st_mtime_ns
    assert model.benchmark_model().variant("dense") == folder
    assert (folder / "variant.json").stat().st_mtime_ns == built_at_ns, "built once"
