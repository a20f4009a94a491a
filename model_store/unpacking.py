"""Unpacks a `model.tar.gz` that may be anybody's: what could do harm is refused, and then nothing of it remains.

All who unpack archives do it here. An archive holds plain files and folders, with names below its root and a bounded
size; links, devices, names that lead out and everything else are refused.
"""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from model_store.errors import DamagedArtifact, StoreError, UnsafeArchive
from model_store.store import staging

_CHUNK_BYTES = 2**20
# Headers are read whole: the long names and records before an entry, which no honest archive has more of.
_LARGEST_READ_BYTES = 2 * _CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """How much an archive may hold. The bytes are also bounded by what the disk has free."""

    bytes: int = 8 * 2**30
    entries: int = 10_000


def unpack_tarball(
    archive: Path, folder: Path, *, sha256: str | None = None, limits: UnpackLimits = UnpackLimits()
) -> None:
    """Unpack `archive` as `folder`; it takes the place of one that is there in a single step, and only if all is well.

    With `sha256`, the archive must have that hash. Owners, times and modes of the entries are not taken over.

    Raises:
        DamagedArtifact: the archive is missing, not a whole .tar.gz, or its hash is another.
        UnsafeArchive: it holds what none of ours does, or more than `limits`.
        StoreError: it cannot be read or written by this user, or the disk is full.
    """
    with _opened(archive, sha256) as stream, _told_of(archive.name), staging(folder) as staged:
        held = min(limits.bytes, shutil.disk_usage(staged).free)
        bounded = _Bounded(gzip.GzipFile(fileobj=stream, mode="rb"), archive.name, held)
        with tarfile.open(fileobj=bounded, mode="r:") as entries:
            _extract(archive.name, entries, staged, limits.entries, held)
        bounded.check_end()


@contextmanager
def _opened(archive: Path, sha256: str | None) -> Iterator[BinaryIO]:
    """The file, once it was found to have the hash; what is read is what was hashed."""
    try:
        stream = archive.open("rb")
    except FileNotFoundError as exc:
        raise DamagedArtifact(f"There is no archive {archive.name!r}; package the variant again.") from exc
    except OSError as exc:
        raise StoreError(f"The archive {archive.name!r} cannot be read ({exc.strerror}).") from exc
    with stream:
        if sha256 is not None and (found := hashlib.file_digest(stream, "sha256").hexdigest()) != sha256.lower():
            raise DamagedArtifact(
                f"The archive {archive.name!r} is not the one that was packaged: its SHA-256 is {found[:12]}…, not "
                f"{sha256[:12]}…; fetch it anew."
            )
        stream.seek(0)
        yield stream


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """What the readers of gzip and tar raise, in our words."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError) as exc:
        raise DamagedArtifact(f"{name!r} is not a whole .tar.gz ({exc}); package the variant again.") from exc
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as exc:
        raise UnsafeArchive(f"{name!r} has two entries of one name; package the variant again.") from exc
    except OSError as exc:
        raise StoreError(f"{name!r} cannot be unpacked ({exc.strerror}).") from exc


def _extract(name: str, entries: tarfile.TarFile, folder: Path, most_entries: int, most_bytes: int) -> None:
    held = 0
    for i, entry in enumerate(entries, start=1):
        path = folder.joinpath(_checked(name, entry))
        held += entry.size
        if i > most_entries:
            raise UnsafeArchive(
                f"{name!r} has more than {most_entries} entries; take out what the model does not need."
            )
        if held > most_bytes:
            raise UnsafeArchive(_too_large(name, most_bytes))
        if entry.isdir():
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            source = entries.extractfile(entry)
            assert source is not None, "this is a bug: a plain file has contents"
            _write(source, path)


def _checked(name: str, entry: tarfile.TarInfo) -> PurePosixPath:
    """The entry's path below the root.

    Raises:
        UnsafeArchive: it is no plain file or folder, or its name leads out.
    """
    path = PurePosixPath(entry.name)
    if path.is_absolute() or ".." in path.parts or "\0" in entry.name:
        raise UnsafeArchive(f"{name!r} has an entry {entry.name!r}, which leads out of its folder; it is not unpacked.")
    if entry.issparse() or entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
        kind = "a link" if entry.issym() or entry.islnk() else "a device" if entry.isdev() else "no plain file"
        raise UnsafeArchive(f"{name!r} has an entry {entry.name!r} that is {kind}; package the variant without it.")
    if entry.size < 0:
        raise UnsafeArchive(f"{name!r} has an entry {entry.name!r} of {entry.size} bytes; it is not unpacked.")
    return path


def _write(source: IO[bytes], path: Path) -> None:
    # A file that is there already, be it a link, is never written to.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as target:
        shutil.copyfileobj(source, target, _CHUNK_BYTES)


def _too_large(name: str, most_bytes: int) -> str:
    return (
        f"{name!r} holds more than the {most_bytes / 2**30:.3g} GiB that an archive may, or that the disk has free; it "
        "is not unpacked."
    )


class _Bounded(io.RawIOBase):
    """The unpacked bytes for the reader of tar, forwards only and only so many of them.

    A header may claim any size for what belongs to it, also one below zero, and is believed by who reads it.
    """

    def __init__(self, stream: gzip.GzipFile, name: str, most_bytes: int) -> None:
        self._stream, self._name, self._last = stream, name, b""
        # Besides the contents there are a header for each entry, and what pads it.
        self._most_bytes = most_bytes + most_bytes // 4 + 64 * _CHUNK_BYTES

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_READ_BYTES:
            raise UnsafeArchive(f"{self._name!r} has a header of {size} bytes; it is not unpacked.")
        if self._stream.tell() + size > self._most_bytes:
            raise UnsafeArchive(_too_large(self._name, self._most_bytes))
        self._last = self._stream.read(size)
        return self._last

    def check_end(self) -> None:
        """The reader of tar stops at whatever is no header: that must be the mark of the end, with zeros behind it."""
        rest = self._stream.read(_LARGEST_READ_BYTES)
        if len(self._last) != tarfile.BLOCKSIZE or any(self._last) or any(rest) or self._stream.read(1):
            raise DamagedArtifact(f"{self._name!r} is not a whole .tar.gz (it has no end); package the variant again.")

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or offset < self._stream.tell():
            raise UnsafeArchive(f"{self._name!r} has a header that leads backwards; it is not unpacked.")
        if offset > self._most_bytes:
            raise UnsafeArchive(_too_large(self._name, self._most_bytes))
        return self._stream.seek(offset)
