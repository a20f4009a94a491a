import os
import zipfile
from pathlib import Path

import pytest

from model_store.archive import write_archive
from model_store.errors import DamagedArtifact


def variant(folder: Path) -> Path:
    (folder / "code").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "code" / "inference.py").write_bytes(b"code")
    return folder


FILES = ("model.bin", "code/inference.py")


def test_files_of_the_folder_and_others_are_in_the_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "v.zip", variant(tmp_path / "v"), FILES, {"variant.json": b"{}", "model.bin": b"other"})
    with zipfile.ZipFile(tmp_path / "v.zip") as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert contents == {"variant.json": b"{}", "model.bin": b"other", "code/inference.py": b"code"}


def test_the_same_files_give_the_same_bytes_whenever_and_however_they_were_written(tmp_path: Path) -> None:
    write_archive(tmp_path / "one.zip", variant(tmp_path / "one"), FILES, {"a": b"1", "b": b"2"})
    later = variant(tmp_path / "two")
    os.utime(later / "model.bin", (2e9, 2e9))
    (later / "model.bin").chmod(0o600)
    write_archive(tmp_path / "two.zip", later, reversed(FILES), {"b": b"2", "a": b"1"})
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_missing_file_is_named_and_the_archive_of_before_stays(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v")
    out = tmp_path / "out" / "v.zip"
    out.parent.mkdir()
    out.write_bytes(b"before")
    with pytest.raises(DamagedArtifact, match=r"'tokenizer\.json' is missing"):
        write_archive(out, folder, ("tokenizer.json",), {})
    assert out.read_bytes() == b"before"
    assert list(out.parent.iterdir()) == [out]


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    with pytest.raises(DamagedArtifact, match="outside the variant's folder"):
        write_archive(tmp_path / "v.zip", variant(tmp_path / "v"), ("../secret",), {})
