"""Files of a variant in one zip file. The same files always give the same bytes."""

import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from model_store.manifest import contained

# The earliest time that a zip file can state, and one mode, for all of its files.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
_LARGE_BYTES = 2**31
_CHUNK_BYTES = 2**20


def write_archive(out: Path, folder: Path, files: Iterable[str], written: Mapping[str, bytes]) -> None:
    """Put `files` of `folder`, and the contents of `written` by their names, into `out`, replaced in a single step.

    A name that is in both is taken from `written`. Nothing is compressed, since weights hardly shrink.

    Raises:
        DamagedArtifact: a file is missing, or its name leaves the folder.
    """
    partial = out.with_name(f".{out.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            for name, content in sorted(written.items()):
                archive.writestr(_entry(name), content)
            for name in sorted(set(files) - written.keys()):
                _copy(archive, name, contained(folder, name))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _copy(archive: zipfile.ZipFile, name: str, file: Path) -> None:
    large = file.stat().st_size >= _LARGE_BYTES
    with file.open("rb") as source, archive.open(_entry(name), "w", force_zip64=large) as target:
        shutil.copyfileobj(source, target, _CHUNK_BYTES)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = _MODE
    return entry
