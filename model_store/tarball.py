"""Files of a variant as `model.tar.gz`, the way SageMaker takes them. The same files always give the same bytes.

The gzip stream is of stored blocks (RFC 1951, 3.2.4): what zlib makes of the same bytes differs from one of its builds
to another, dense weights hardly shrink, and an instance that starts has nothing to inflate.
"""

import io
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from model_store.manifest import contained

# As in our zip archives: the earliest time that one can state, and one mode, for all files.
_TIME = 315_532_800
_MODE = 0o644
_BLOCK_BYTES = 65_535

# Deflate, no name, no time, of an unknown system (RFC 1952, 2.3).
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def write_tarball(out: Path, folder: Path, files: Iterable[str], written: Mapping[str, bytes]) -> None:
    """Put `files` of `folder`, and the contents of `written` by their names, into `out`, replaced in a single step.

    A name that is in both is taken from `written`. Names are in order; owners, times and modes are all the same; a link
    to a file in the folder becomes that file.

    Raises:
        DamagedArtifact: a file is missing, or its name leaves the folder.
    """
    partial = out.with_name(f".{out.name}.partial")
    try:
        with partial.open("wb") as stream:
            stored = _StoredGzip(stream)
            with tarfile.open(fileobj=stored, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for name in sorted({*files, *written}):
                    if name in written:
                        archive.addfile(_entry(name, len(written[name])), io.BytesIO(written[name]))
                    else:
                        _copy(archive, name, contained(folder, name))
            stored.close()
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _copy(archive: tarfile.TarFile, name: str, file: Path) -> None:
    with file.open("rb") as source:
        archive.addfile(_entry(name, file.stat().st_size), source)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, _TIME, _MODE
    return entry


class _StoredGzip(io.RawIOBase):
    """A gzip stream without compression; the last block is written by `close`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self._crc = self._size = 0
        stream.write(_HEADER)

    def write(self, data: bytes) -> int:  # type: ignore[override]  # tarfile writes bytes
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._waiting += data
        # The last block is marked, so one is kept back.
        while len(self._waiting) > _BLOCK_BYTES:
            self._block(bytes(self._waiting[:_BLOCK_BYTES]), is_last=False)
            del self._waiting[:_BLOCK_BYTES]
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._block(bytes(self._waiting), is_last=True)
            self._stream.write(self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little"))
        super().close()

    def _block(self, data: bytes, *, is_last: bool) -> None:
        length = len(data)
        self._stream.write(bytes([is_last]) + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little"))
        self._stream.write(data)
