from dataclasses import dataclass
from pathlib import Path

import pytest

from handlers.backends.catalogue import artifact_name
from model_store.manifest import read_manifest
from paretoserve.builds.build import backends_of, recipe_of
from paretoserve.demo import run
from paretoserve.demo.run import CANDIDATES, MODEL, VARIANTS, build_variants
from recipes.training.loop import _Run


def test_each_candidate_is_of_a_variant_that_is_built_for_it() -> None:
    pairs = [name.split("@") for name in CANDIDATES]
    assert {variant for variant, _ in pairs} == set(VARIANTS)
    for variant, backend in pairs:
        written = backends_of(recipe_of(VARIANTS[variant].recipe), VARIANTS[variant].backends)
        assert artifact_name(backend, written) in written


@pytest.mark.timeout(120)
def test_a_model_that_was_trained_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "VARIANTS", {})
    build_variants(tmp_path, train_steps=2)
    weights = tmp_path / "checkpoints" / "dense" / "model.safetensors"
    trained = weights.read_bytes()

    def advance(*told: object) -> None:
        raise AssertionError("it was trained")

    monkeypatch.setattr(_Run, "advance", advance)
    build_variants(tmp_path, train_steps=2)
    assert weights.read_bytes() == trained


@dataclass(frozen=True, slots=True)
class Found:
    """What a variant was measured to be."""

    accuracy: float
    macs_per_token: int


def found(out: Path, variant: str) -> Found:
    manifest = read_manifest(out / "store" / MODEL / variant)
    quality = manifest.artifacts["onnxruntime"].quality
    assert quality is not None
    assert manifest.macs_per_token is not None
    return Found(quality.value, manifest.macs_per_token)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_quarter_of_the_encoder_answers_nearly_as_well_and_a_single_layer_does_not(tmp_path: Path) -> None:
    build_variants(tmp_path)
    dense, nas, layer = (found(tmp_path, variant) for variant in VARIANTS)
    assert dense.accuracy >= 0.95
    assert nas.accuracy >= dense.accuracy - 0.03
    assert layer.accuracy <= dense.accuracy - 0.1
    assert max(4 * nas.macs_per_token, 3 * layer.macs_per_token) <= dense.macs_per_token
