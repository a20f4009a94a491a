"""A `model.tar.gz` may be anybody's: what could do harm is refused, and nothing is left of it anywhere."""

import gzip
import hashlib
import io
import os
import resource
import tarfile
from pathlib import Path

import pytest

from model_store.errors import DamagedArtifact, StoreError, UnsafeArchive
from model_store.tarball import write_tarball
from model_store.unpacking import UnpackLimits, unpack_tarball


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def tar_of(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    """A ustar header by hand, which may claim any size: in octal digits, or else in binary as GNU's tar does."""
    field = b"%011o\0" % size if 0 <= size < 8**11 else (size % 2**96).to_bytes(12, "big")
    if size >= 8**11:
        field = b"\x80" + field[1:]
    block = bytearray(512)
    block[0:100] = name.encode().ljust(100, b"\0")
    block[100:124] = b"0000644\0" + b"0000000\0" * 2
    block[124:136] = field
    block[136:148] = b"%011o\0" % 0
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


END = b"\0" * 1024
LIMITS = UnpackLimits()


def archive_of(folder: Path, tar: bytes) -> Path:
    path = folder / "model.tar.gz"
    path.write_bytes(gzip.compress(tar, 1))
    return path


def refused(folder: Path, tar: bytes, error: type[StoreError], says: str, limits: UnpackLimits = LIMITS) -> None:
    """Unpack in `folder`, where nothing else may be before and after."""
    archive = archive_of(folder, tar)
    with pytest.raises(error, match=says):
        unpack_tarball(archive, folder / "in" / "model", limits=limits)
    assert [path.name for path in folder.rglob("*") if path.is_file() or path.is_symlink()] == ["model.tar.gz"]
    assert list((folder / "in").iterdir()) == []


def test_what_was_packed_comes_back(tmp_path: Path) -> None:
    contents = {"variant.json": b"{}", "code/inference.py": b"code", "model.bin": b"w" * 3_000_001}
    write_tarball(tmp_path / "m.tar.gz", tmp_path, (), contents)
    digest = hashlib.sha256((tmp_path / "m.tar.gz").read_bytes()).hexdigest()
    unpack_tarball(tmp_path / "m.tar.gz", tmp_path / "model", sha256=digest.upper())
    found = {
        path.relative_to(tmp_path / "model").as_posix(): path.read_bytes()
        for path in (tmp_path / "model").rglob("*")
        if path.is_file()
    }
    assert found == contents


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_archives_of_others_are_unpacked_and_only_the_contents_are_taken_over(tmp_path: Path, format: int) -> None:  # noqa: A002
    long = "/".join(["a" * 60] * 3)
    made = (
        entry(".", type=tarfile.DIRTYPE),
        entry("./model.bin", b"w", mode=0o6777, uid=7, mtime=9),
        entry(long, b"l"),
    )
    unpack_tarball(archive_of(tmp_path, tar_of(*made, format=format)), tmp_path / "model")
    stat = (tmp_path / "model" / "model.bin").stat()
    assert (stat.st_mode & 0o7111, stat.st_uid, stat.st_mtime > 1e9) == (0, os.getuid(), True)
    assert (tmp_path / "model" / long).read_bytes() == b"l"


@pytest.mark.parametrize("name", ["../outside", "code/../../outside", "/tmp/outside", "//outside", ".."])  # noqa: S108
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, tar_of(entry("good", b"g"), entry(name, b"x")), UnsafeArchive, "leads out of its folder")


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (tarfile.SYMTYPE, "is a link"),
        (tarfile.LNKTYPE, "is a link"),
        (tarfile.CHRTYPE, "is a device"),
        (tarfile.BLKTYPE, "is a device"),
        (tarfile.FIFOTYPE, "is a device"),
        (tarfile.CONTTYPE, "is no plain file"),
        (b"Z", "is no plain file"),
    ],
)
@pytest.mark.parametrize("target", ["/etc/passwd", "../..", "good"])
def test_links_and_devices_are_refused_wherever_they_lead(tmp_path: Path, kind: bytes, says: str, target: str) -> None:
    made = tar_of(entry("good", b"g"), entry("bad", type=kind, linkname=target))
    refused(tmp_path, made, UnsafeArchive, says)


def test_nothing_is_written_through_a_link_that_came_before(tmp_path: Path) -> None:
    made = tar_of(entry("a", type=tarfile.SYMTYPE, linkname=str(tmp_path)), entry("a/outside", b"x"))
    refused(tmp_path, made, UnsafeArchive, "is a link")


def test_a_sparse_file_is_refused(tmp_path: Path) -> None:
    info, _ = entry(
        "hole", pax_headers={"GNU.sparse.major": "0", "GNU.sparse.size": str(10**10), "GNU.sparse.map": "0,0"}
    )
    refused(tmp_path, tar_of((info, b"")), UnsafeArchive, "no plain file")


def test_ten_gigabytes_of_zeros_are_refused_by_what_the_header_says(tmp_path: Path) -> None:
    tar = header("zeros", 10 * 10**9) + b"\0" * 2**20
    refused(tmp_path, tar, UnsafeArchive, "holds more than the .* GiB")


def test_many_files_are_refused_once_their_sum_is_too_large(tmp_path: Path) -> None:
    made = tar_of(*(entry(f"zeros-{i}", b"\0" * 2**20) for i in range(10)))
    refused(tmp_path, made, UnsafeArchive, "holds more than", limits=UnpackLimits(bytes=5 * 2**20))


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    made = tar_of(*(entry(str(i)) for i in range(50)))
    refused(tmp_path, made, UnsafeArchive, "more than 49 entries", limits=UnpackLimits(entries=49))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
def test_a_header_that_would_fill_the_memory_is_refused_unread(tmp_path: Path, kind: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(tmp_path, header("big", 8 * 10**9, kind) + b"\0" * 2**22, UnsafeArchive, "has a header of")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "in KiB"


@pytest.mark.parametrize("kind", [b"0", tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.SYMTYPE])
def test_a_size_below_zero_is_refused(tmp_path: Path, kind: bytes) -> None:
    tar = tar_of(entry("good", b"g"))[:1024] + header("bad", -4096, kind) + END
    archive = archive_of(tmp_path, tar)
    with pytest.raises((UnsafeArchive, DamagedArtifact)):
        unpack_tarball(archive, tmp_path / "in" / "model")
    assert list((tmp_path / "in").iterdir()) == []


def test_headers_of_headers_without_end_are_refused(tmp_path: Path) -> None:
    long_name = header("././@LongLink", 2, tarfile.GNUTYPE_LONGNAME) + b"a".ljust(512, b"\0")
    refused(tmp_path, long_name * 5000 + header("a", 0) + END, DamagedArtifact, "not a whole")


@pytest.mark.parametrize(
    "entries",
    [
        (entry("a", b"1"), entry("a", b"2")),
        (entry("a", b"1"), entry("a/b", b"2")),
        (entry("a/b", b"1"), entry("a", b"2")),
        (entry("a", b"1"), entry("./a", b"2")),
    ],
)
def test_two_entries_of_one_name_are_refused(
    tmp_path: Path, entries: tuple[tuple[tarfile.TarInfo, bytes], ...]
) -> None:
    refused(tmp_path, tar_of(*entries), UnsafeArchive, "two entries of one name")


def test_a_name_that_no_disk_takes_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, tar_of(entry("n" * 300, b"x")), StoreError, "cannot be unpacked")


def test_a_wrong_hash_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    archive = archive_of(tmp_path, b"no tar at all")
    with pytest.raises(DamagedArtifact, match=r"SHA-256 is [0-9a-f]{12}…, not 000000000000…"):
        unpack_tarball(archive, tmp_path / "in" / "model", sha256="0" * 64)
    assert not (tmp_path / "in").exists()


def test_what_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(tar_of(entry("a", os.urandom(3000)), entry("b", os.urandom(3000))), mtime=0)
    for kept in range(0, len(whole), 97):
        (tmp_path / "m.tar.gz").write_bytes(whole[:kept])
        with pytest.raises(DamagedArtifact, match="not a whole"):
            unpack_tarball(tmp_path / "m.tar.gz", tmp_path / "in" / "model")
    assert list((tmp_path / "in").iterdir()) == []


def test_a_bit_that_fell_over_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(tar_of(entry("a", os.urandom(3000)), entry("b", os.urandom(3000))), mtime=0)
    for at in range(20, len(whole), 97):
        (tmp_path / "m.tar.gz").write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises((DamagedArtifact, UnsafeArchive)):
            unpack_tarball(tmp_path / "m.tar.gz", tmp_path / "in" / "model")
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize("tar", [b"", b"hello", tar_of(entry("a", b"1"))[:1024], tar_of(entry("a", b"1")) + b"more"])
def test_what_is_no_whole_tar_is_refused(tmp_path: Path, tar: bytes) -> None:
    refused(tmp_path, tar, DamagedArtifact, "not a whole")


def test_what_is_not_compressed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tar.gz").write_bytes(tar_of(entry("a", b"1")))
    with pytest.raises(DamagedArtifact, match="not a whole"):
        unpack_tarball(tmp_path / "m.tar.gz", tmp_path / "model")


def test_no_archive_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(DamagedArtifact, match=r"There is no archive 'm\.tar\.gz'"):
        unpack_tarball(tmp_path / "m.tar.gz", tmp_path / "model")
    with pytest.raises(StoreError, match="cannot be read"):
        unpack_tarball(tmp_path, tmp_path / "model")


def test_what_was_there_stays_where_the_new_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").write_bytes(b"old")
    with pytest.raises(DamagedArtifact):
        unpack_tarball(archive_of(tmp_path, b"x"), tmp_path / "model")
    assert (tmp_path / "model" / "old").read_bytes() == b"old"
    unpack_tarball(archive_of(tmp_path, tar_of(entry("new", b"n"))), tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["new"]
