import os
import threading
from pathlib import Path

import pytest

from model_store.errors import DamagedArtifact
from model_store.manifest import Artifact, sha256_of
from model_store.opened import opened_artifact, verify_artifact

FILES = {"model.xml": b"graph", "model.bin": b"weights", "tokenizer.json": b"{}"}


@pytest.fixture
def variant(tmp_path: Path) -> Path:
    folder = tmp_path / "dense"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def artifact_of(folder: Path, *files: str) -> Artifact:
    hashes = {name: sha256_of(folder / name) for name in files or FILES}
    return Artifact(file="model.xml", layout="packed", precision="fp32", sha256=hashes, bytes=12)


def descriptors() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


def test_an_intact_artifact_is_found(variant: Path) -> None:
    assert verify_artifact(artifact_of(variant), variant) == variant.resolve() / "model.xml"


def test_its_files_are_there_under_their_names_and_nothing_is_left_over(variant: Path) -> None:
    before = descriptors()
    with opened_artifact(artifact_of(variant), variant) as folder:
        assert folder.name == "dense"
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == FILES
    assert not folder.exists()
    assert descriptors() == before


@pytest.mark.parametrize("file", FILES)
def test_one_changed_byte_is_damage(variant: Path, file: str) -> None:
    artifact = artifact_of(variant)
    (variant / file).write_bytes(FILES[file][:-1] + b"?")
    before = descriptors()
    with pytest.raises(DamagedArtifact, match=f"'{file}' of variant .* is damaged"):
        verify_artifact(artifact, variant)
    assert descriptors() == before


def test_a_missing_companion_is_damage(variant: Path) -> None:
    artifact = artifact_of(variant)
    (variant / "model.bin").unlink()
    with pytest.raises(DamagedArtifact, match=r"'model\.bin' is missing"):
        verify_artifact(artifact, variant)


@pytest.mark.parametrize("left_out", ["model.xml", "tokenizer.json"])
def test_a_file_that_is_needed_and_has_no_hash_is_refused(variant: Path, left_out: str) -> None:
    artifact = artifact_of(variant, *(FILES.keys() - {left_out}))
    with pytest.raises(DamagedArtifact, match=f"no SHA-256 of '{left_out}'"):
        verify_artifact(artifact, variant)


def test_what_has_no_hash_is_not_there_to_be_loaded(variant: Path) -> None:
    (variant / "config.json").write_bytes(b"{}")
    with opened_artifact(artifact_of(variant), variant) as folder:
        assert not (folder / "config.json").exists()


def test_an_artifact_without_any_hash_is_in_its_own_folder(variant: Path) -> None:
    artifact = Artifact(file="model.xml", layout="packed", precision="fp32", sha256={}, bytes=12)
    with opened_artifact(artifact, variant) as folder:
        assert folder == variant


def test_a_file_put_in_anothers_place_after_the_hash_is_never_loaded(variant: Path) -> None:
    with opened_artifact(artifact_of(variant), variant) as folder:
        (variant / "other").write_bytes(b"another's")
        (variant / "other").replace(variant / "model.bin")
        variant.rename(variant.with_name("older"))
        assert (folder / "model.bin").read_bytes() == FILES["model.bin"]


@pytest.mark.parametrize("content", [None, b"weights", b"another's"])
def test_a_file_put_in_anothers_place_is_found_afterwards_where_it_must_be_loaded_in_place(
    variant: Path, content: bytes | None
) -> None:
    loading = opened_artifact(artifact_of(variant), variant, in_place=True)
    assert loading.__enter__() == variant
    (variant / "model.bin").unlink()
    if content is not None:
        (variant / "model.bin").write_bytes(content)
    with pytest.raises(DamagedArtifact, match=r"'model\.bin' .* was changed while it was loaded"):
        loading.__exit__(None, None, None)


def test_a_file_written_to_while_it_is_loaded_is_found(variant: Path) -> None:
    loading = opened_artifact(artifact_of(variant), variant)
    loading.__enter__()
    (variant / "model.bin").write_bytes(b"WEIGHTS")
    os.utime(variant / "model.bin", ns=(1, 1))
    with pytest.raises(DamagedArtifact, match=r"'model\.bin' .* was changed while it was loaded"):
        loading.__exit__(None, None, None)


def test_a_file_is_read_once_as_long_as_it_stays_as_it_is(variant: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = artifact_of(variant)
    verify_artifact(artifact, variant)
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", lambda *_: pytest.fail("it was read again"))
        verify_artifact(artifact, variant)
    (variant / "model.bin").write_bytes(b"WEIGHTS")
    os.utime(variant / "model.bin", ns=(1, 1))
    with pytest.raises(DamagedArtifact, match="is damaged"):
        verify_artifact(artifact, variant)


@pytest.mark.timeout(30)
def test_no_pipe_is_waited_for(variant: Path) -> None:
    artifact = artifact_of(variant)
    (variant / "model.bin").unlink()
    os.mkfifo(variant / "model.bin")
    found: list[Exception] = []

    def verify() -> None:
        try:
            verify_artifact(artifact, variant)
        except DamagedArtifact as exc:
            found.append(exc)

    thread = threading.Thread(target=verify, daemon=True)
    thread.start()
    thread.join(10)
    assert found
