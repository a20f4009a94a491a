import gzip
import hashlib
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from model_store.errors import DamagedArtifact
from model_store.tarball import write_tarball

FILES = ("model.bin", "code/inference.py")


def variant(folder: Path) -> Path:
    (folder / "code").mkdir(parents=True)
    # More than one block of the gzip stream, and no multiple of it.
    (folder / "model.bin").write_bytes(bytes(range(256)) * 1000)
    (folder / "code" / "inference.py").write_bytes(b"code")
    return folder


def test_files_of_the_folder_and_others_are_in_the_archive_in_order(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v")
    write_tarball(tmp_path / "v.tar.gz", folder, FILES, {"variant.json": b"{}", "model.bin": b"other"})
    with tarfile.open(tmp_path / "v.tar.gz") as archive:
        contents = [(entry.name, file.read()) for entry in archive if (file := archive.extractfile(entry))]
    assert contents == [("code/inference.py", b"code"), ("model.bin", b"other"), ("variant.json", b"{}")]


def test_an_entry_says_nothing_of_who_wrote_it_when_and_how(tmp_path: Path) -> None:
    write_tarball(tmp_path / "v.tar.gz", variant(tmp_path / "v"), FILES, {})
    with tarfile.open(tmp_path / "v.tar.gz") as archive:
        told = {(one.uid, one.gid, one.uname, one.gname, one.mode, one.mtime, one.type) for one in archive}
    assert told == {(0, 0, "", "", 0o644, 315_532_800, tarfile.REGTYPE)}


def test_the_same_files_give_the_same_bytes_whenever_and_however_they_were_written(tmp_path: Path) -> None:
    write_tarball(tmp_path / "one.tar.gz", variant(tmp_path / "one"), FILES, {"a": b"1", "b": b"2"})
    later = variant(tmp_path / "two")
    os.utime(later / "model.bin", (2e9, 2e9))
    (later / "model.bin").chmod(0o600)
    write_tarball(tmp_path / "two.tar.gz", later, reversed(FILES), {"b": b"2", "a": b"1"})
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "two.tar.gz").read_bytes()


def test_the_bytes_are_those_of_any_machine(tmp_path: Path) -> None:
    """Known ones: what Python or zlib do differently one day would be seen here."""
    write_tarball(tmp_path / "v.tar.gz", variant(tmp_path / "v"), FILES, {"variant.json": b"{}"})
    digest = hashlib.sha256((tmp_path / "v.tar.gz").read_bytes()).hexdigest()
    assert digest == "82f2f5c3d9c7ea1a22959b4104e67debdddfd67574f41741a6bbf4248c2c9188"


def test_gzip_and_tar_of_the_system_read_it(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v")
    write_tarball(tmp_path / "v.tar.gz", folder, FILES, {})
    subprocess.run(["gzip", "--test", tmp_path / "v.tar.gz"], check=True)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xzf", tmp_path / "v.tar.gz", "-C", tmp_path / "out"], check=True)
    assert (tmp_path / "out" / "model.bin").read_bytes() == (folder / "model.bin").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 65_534, 65_535, 65_536, 200_000])
def test_contents_of_every_size_come_back(tmp_path: Path, size: int) -> None:
    write_tarball(tmp_path / "v.tar.gz", tmp_path, (), {"a": b"x" * size})
    assert len(gzip.decompress((tmp_path / "v.tar.gz").read_bytes())) >= size
    with tarfile.open(tmp_path / "v.tar.gz") as archive:
        file = archive.extractfile("a")
        assert file is not None
        assert file.read() == b"x" * size


def test_a_link_within_the_folder_becomes_the_file(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v")
    (folder / "again.bin").symlink_to("model.bin")
    write_tarball(tmp_path / "v.tar.gz", folder, ("again.bin",), {})
    with tarfile.open(tmp_path / "v.tar.gz") as archive:
        (entry,) = archive
        assert (entry.isreg(), entry.size) == (True, 256_000)


def test_a_missing_file_is_named_and_the_archive_of_before_stays(tmp_path: Path) -> None:
    folder = variant(tmp_path / "v")
    out = tmp_path / "out" / "v.tar.gz"
    out.parent.mkdir()
    out.write_bytes(b"before")
    with pytest.raises(DamagedArtifact, match=r"'tokenizer\.json' is missing"):
        write_tarball(out, folder, ("tokenizer.json",), {})
    assert out.read_bytes() == b"before"
    assert list(out.parent.iterdir()) == [out]


def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    folder = variant(tmp_path / "v")
    (folder / "link").symlink_to(tmp_path / "secret")
    for name in ("../secret", "link"):
        with pytest.raises(DamagedArtifact, match="outside the variant's folder"):
            write_tarball(tmp_path / "v.tar.gz", folder, (name,), {})
