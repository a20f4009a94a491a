import shutil
from pathlib import Path

import msgspec
import pytest

from model_store.errors import ParetoServeError, UnknownVariant
from model_store.manifest import Artifact, Manifest, Technique, write_manifest
from paretoserve.candidates.candidate import parse_candidate, variant_specs
from tests.exported import exported
from tests.tiny import tiny_checkpoint


def test_a_candidate_is_a_variant_of_a_model_and_a_backend(tiny_store: Path) -> None:
    candidate = parse_candidate("dense@onnxruntime", tiny_store / "tiny")
    assert (candidate.name, candidate.folder) == ("dense@onnxruntime", tiny_store / "tiny" / "dense")


def variant(folder: Path, *artifacts: str) -> Path:
    """A manifest with these artifacts, and nothing else."""
    artifact = Artifact(file="model", layout="packed", precision="fp32", sha256={}, bytes=1)
    technique = Technique(recipe="dense")
    manifest = Manifest(model="m", variant="v", technique=technique, task_settings={"labels": ["a"]}, max_tokens=8)
    folder.mkdir()
    write_manifest(msgspec.structs.replace(manifest, artifacts=dict.fromkeys(artifacts, artifact)), folder)
    return folder


def test_without_a_backend_one_is_chosen_that_is_installed(tmp_path: Path) -> None:
    assert parse_candidate(str(variant(tmp_path / "v", "deepsparse", "torchscript", "onnxruntime"))).backend == (
        "onnxruntime"
    )


def test_an_engine_that_runs_only_where_it_is_named_is_asked_to_be_named(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v", "torchscript")
    with pytest.raises(ParetoServeError, match=r"runs only on an engine that is named; give one of @torchscript\.$"):
        parse_candidate(str(folder))
    assert parse_candidate(f"{folder}@torchscript").backend == "torchscript"


def test_engines_that_are_not_installed_are_told_with_what_installs_one(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v", "deepsparse", "torchscript")
    with pytest.raises(
        ParetoServeError, match=r"\(deepsparse, torchscript\) is installed; run: paretoserve env create deepsparse\.$"
    ):
        parse_candidate(str(folder))


@pytest.mark.parametrize("backend", ["torch", "torch-compiled", "torch-cuda", "transformers", "transformers-longest"])
def test_one_checkpoint_is_for_all_backends_of_pytorch(backend: str, tmp_path: Path) -> None:
    assert parse_candidate(f"{variant(tmp_path / 'v', 'torch')}@{backend}").backend == backend


def test_an_onnx_export_is_served_on_either_engine_that_reads_onnx(tmp_path: Path) -> None:
    folder = exported(tiny_checkpoint(tmp_path / "checkpoint"), tmp_path / "my-export")
    assert [one.name for one in variant_specs([parse_candidate(f"{folder}@openvino")])] == ["my-export"]
    assert parse_candidate(f"{folder}@openvino").backend == "openvino"
    assert parse_candidate(f"{folder}@onnxruntime").backend == "onnxruntime"
    with pytest.raises(ParetoServeError, match="no artifact for 'torch'; it has onnxruntime, openvino"):
        parse_candidate(f"{folder}@torch")


def test_an_at_sign_within_a_path_belongs_to_the_path(tiny_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "me@work" / "dense"
    shutil.copytree(tiny_store / "tiny" / "dense", folder)
    assert parse_candidate(str(folder)).folder == folder
    assert parse_candidate(f"{folder}@torch").folder == folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sparse@torch", "no variant 'sparse' here; choose one of dense"),
        ("dense@tensorflow", "no backend 'tensorflow'"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(tiny_store: Path, text: str, message: str) -> None:
    with pytest.raises((ParetoServeError, UnknownVariant), match=message):
        parse_candidate(text, tiny_store / "tiny")


def test_a_variant_is_served_under_its_name_and_with_its_backend_where_it_is_served_twice(tiny_store: Path) -> None:
    model = tiny_store / "tiny"
    once = variant_specs([parse_candidate("dense@torch", model)])
    twice = variant_specs([parse_candidate("dense@torch", model), parse_candidate("dense@openvino", model)])
    assert [spec.name for spec in once] == ["dense"]
    assert [spec.name for spec in twice] == ["dense@torch", "dense@openvino"]


def test_a_single_variant_may_be_given_another_name(tiny_store: Path) -> None:
    dense = parse_candidate(f"{tiny_store / 'tiny' / 'dense'}@torch")
    assert [spec.name for spec in variant_specs([dense], "reviews")] == ["reviews"]
    with pytest.raises(ParetoServeError, match="--name is for a server of one variant"):
        variant_specs([dense, dense], "reviews")
