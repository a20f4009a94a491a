"""The files of a variant, opened once: what is loaded is what was hashed.

Each file is hashed through a descriptor and loaded through a link to that same descriptor, which stands under the
file's name in a folder of its own. A file that is put in its place meanwhile is therefore never seen. One that is
written into meanwhile is found by its size and the time of its last change.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from model_store.errors import DamagedArtifact, StoreError
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, UNREADABLE, Artifact, contained

# Digests of files that this process has hashed, by what changes when they do: a worker loads its variant several times.
_hashed: dict[tuple[int, ...], str] = {}


@contextmanager
def opened_artifact(artifact: Artifact, variant_dir: Path) -> Iterator[Path]:
    """A folder in which an artifact's files are those that were hashed, until the end of the block.

    An artifact without any hash, as that of a folder which nobody wrote a manifest for, is in its own folder.

    Raises:
        DamagedArtifact: a file is missing, has no hash, or its bytes differ; or, at the end, they changed meanwhile.
        StoreError: this user may not read a file.
    """
    for needed in (artifact.file, TOKENIZER_FILE):
        contained(variant_dir, needed)
        if artifact.sha256 and needed not in artifact.sha256:
            raise DamagedArtifact(
                f"{MANIFEST_FILE} of {variant_dir.name!r} has no SHA-256 of {needed!r}, which its artifact needs; "
                "build the variant again."
            )
    if not artifact.sha256:
        yield variant_dir
        return
    with ExitStack() as stack:
        # Called like the variant: errors name the folder of a file.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paretoserve-"))) / variant_dir.name
        opened = {}
        for file, expected in artifact.sha256.items():
            descriptor = opened[file] = open_file(variant_dir, file)
            stack.callback(os.close, descriptor)
            check_digest(variant_dir, file, digest_of(descriptor), expected)
            _link(folder / file, descriptor)
        before = {file: _last_change(descriptor) for file, descriptor in opened.items()}
        yield folder
        _check_unchanged(variant_dir, before, {file: _last_change(descriptor) for file, descriptor in opened.items()})


def verify_artifact(artifact: Artifact, variant_dir: Path) -> Path:
    """The path of the artifact's main file, once every file of it was found to be what the manifest says; raises the
    same errors."""
    with opened_artifact(artifact, variant_dir):
        return contained(variant_dir, artifact.file)


def open_file(variant_dir: Path, file: str) -> int:
    """A descriptor of a file of a variant.

    Raises:
        DamagedArtifact: it is missing, or lies outside the folder.
        StoreError: this user may not read it.
    """
    try:
        return os.open(contained(variant_dir, file), os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError as exc:
        raise StoreError(UNREADABLE.format(file, variant_dir.name)) from exc
    except FileNotFoundError as exc:
        raise DamagedArtifact(f"{file!r} has just gone from variant {variant_dir.name!r}; load it again.") from exc


def digest_of(descriptor: int) -> str:
    """The SHA-256 of an open file, which is read once as long as it does not change."""
    stat = os.fstat(descriptor)
    identity = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    if identity not in _hashed:
        with open(descriptor, "rb", closefd=False) as file:
            _hashed[identity] = hashlib.file_digest(file, "sha256").hexdigest()
    return _hashed[identity]


def check_digest(variant_dir: Path, file: str, found: str, expected: str) -> None:
    """Raises DamagedArtifact where they differ."""
    if found != expected:
        raise DamagedArtifact(
            f"{file!r} of variant {variant_dir.name!r} is damaged: its SHA-256 is {found[:12]}…, the manifest "
            f"says {expected[:12]}…; build the variant again or fetch it anew."
        )


def _link(path: Path, descriptor: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(f"/proc/self/fd/{descriptor}")


def _last_change(descriptor: int) -> tuple[int, int]:
    stat = os.fstat(descriptor)
    return stat.st_size, stat.st_mtime_ns


def _check_unchanged(
    variant_dir: Path, before: Mapping[str, tuple[int, int]], after: Mapping[str, tuple[int, int]]
) -> None:
    if changed := [file for file in before if before[file] != after[file]]:
        raise DamagedArtifact(
            f"{changed[0]!r} of variant {variant_dir.name!r} was written to while it was loaded; put new files beside "
            "old ones and rename them, and load the variant again."
        )
