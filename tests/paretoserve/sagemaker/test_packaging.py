"""Variants as SageMaker takes them: what is in an archive, and what is served from it."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from model_store.errors import DamagedArtifact, ParetoServeError
from model_store.manifest import MANIFEST_FILE, read_manifest
from model_store.unpacking import unpack_tarball
from paretoserve.sagemaker.packaging import package_for_sagemaker
from tests.handlers.variants import copy_of, opened, write_code


@pytest.fixture
def dense(tiny_store: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return copy_of(tiny_store / "tiny" / "dense", tmp_path / "store" / "dense")


def packed(variant: Path | str, folder: Path) -> Path:
    """The folder that the container of an endpoint would find."""
    archive = package_for_sagemaker(str(variant), folder / "model.tar.gz")
    unpack_tarball(archive.path, folder / "model", sha256=archive.sha256)
    return folder / "model"


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_packed_as_it_is_but_for_what_is_of_no_use_there(dense: Path, tmp_path: Path) -> None:
    write_code(dense, "def predict_fn(data, model): return 'mine'")
    for extra in ("words.json", "code/words.json", "code/__pycache__/inference.pyc", ".notes"):
        (dense / extra).parent.mkdir(exist_ok=True)
        (dense / extra).write_text("x")
    model = packed(dense, tmp_path)
    assert names(dense) - names(model) == {"predictions.json", "code/__pycache__/inference.pyc", ".notes"}
    assert names(model) <= names(dense)
    changed = {name for name in names(model) if (model / name).read_bytes() != (dense / name).read_bytes()}
    assert changed == {MANIFEST_FILE}


def test_code_is_hashed_and_loaded_only_as_it_was(dense: Path, tmp_path: Path) -> None:
    code = "def predict_fn(data, model): return 'mine'"
    model = packed(write_code(dense, code), tmp_path)
    assert read_manifest(model).code == {"code/inference.py": hashlib.sha256(code.encode()).hexdigest()}
    assert opened(model).user.predict_fn is not None
    (model / "code" / "inference.py").write_text("")
    with pytest.raises(DamagedArtifact, match=r"'code/inference\.py'"):
        opened(model)


def test_with_a_backend_what_only_others_need_is_left_out(dense: Path, tmp_path: Path) -> None:
    model = packed(f"{dense}@onnxruntime", tmp_path)
    assert set(read_manifest(model).artifacts) == {"onnxruntime"}
    assert {"model.onnx", "tokenizer.json"} <= names(model)
    assert "model.safetensors" not in names(model)
    assert opened(model).session_info is not None


def test_the_same_variant_gives_the_same_bytes(dense: Path, tmp_path: Path) -> None:
    later = copy_of(dense, tmp_path / "elsewhere" / "dense")
    for file in later.iterdir():
        os.utime(file, (2e9, 2e9))
        file.chmod(0o600)
    first, second = (
        package_for_sagemaker(str(variant), tmp_path / out / "m.tar.gz")
        for variant, out in ((dense, "one"), (later, "two"))
    )
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()


def test_the_hash_beside_it_is_one_that_sha256sum_checks(dense: Path, tmp_path: Path) -> None:
    archive = package_for_sagemaker(str(dense), tmp_path / "m.tar.gz")
    subprocess.run(["sha256sum", "--check", archive.hash_file.name], cwd=tmp_path, check=True)


def test_a_checkpoint_without_a_manifest_keeps_its_name(dense: Path, tmp_path: Path) -> None:
    for file in (MANIFEST_FILE, "model.onnx"):
        (dense / file).unlink()
    manifest = read_manifest(packed(dense, tmp_path))
    assert manifest.variant == "dense"
    assert set(manifest.artifacts["torch"].sha256) >= {"model.safetensors"}


def test_of_a_users_own_model_all_files_go_along(tmp_path: Path) -> None:
    variant = write_code(tmp_path / "mine", "def model_fn(folder): return len")
    (variant / "weights.bin").write_bytes(b"w")
    assert names(packed(variant, tmp_path)) == {MANIFEST_FILE, "code/inference.py", "weights.bin"}


def test_what_cannot_be_packaged_is_told_and_leaves_nothing(dense: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "m.tar.gz"
    with pytest.raises(ParetoServeError, match=r"end in \.tar\.gz; give --out .*/m\.tar\.gz\.$"):
        package_for_sagemaker(str(dense), out.with_name("m.tgz"))
    with pytest.raises(ParetoServeError, match="There is no folder"):
        package_for_sagemaker(str(tmp_path / "none"), out)
    with pytest.raises(ParetoServeError, match="would lie in the variant"):
        package_for_sagemaker(str(dense), dense / "m.tar.gz")
    with pytest.raises(ParetoServeError, match="no artifact for 'deepsparse'"):
        package_for_sagemaker(f"{dense}@deepsparse", out)
    (dense / "model.safetensors").write_bytes(b"")
    with pytest.raises(DamagedArtifact):
        package_for_sagemaker(str(dense), out)
    assert not out.exists()


@pytest.mark.parametrize("target", ["inside", "../outside"])
def test_links_to_folders_are_refused_and_links_to_files_within_become_files(
    dense: Path, tmp_path: Path, target: str
) -> None:
    for folder in (dense / "inside", dense / ".." / "outside"):
        folder.mkdir()
        (folder / "words.json").write_text("[]")
    (dense / "words.json").symlink_to("inside/words.json")
    assert not (packed(dense, tmp_path) / "words.json").is_symlink()
    (dense / "linked").symlink_to(target)
    with pytest.raises(DamagedArtifact, match="'linked' in 'dense' is a link to a folder"):
        packed(dense, tmp_path)


def test_a_link_that_leads_out_is_refused(dense: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(json.dumps("secret"))
    (dense / "words.json").symlink_to(tmp_path / "secret")
    with pytest.raises(DamagedArtifact, match="outside the variant's folder"):
        packed(dense, tmp_path)
