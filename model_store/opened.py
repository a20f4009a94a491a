"""The files of a variant, opened once: what is loaded is what was hashed.

Each file is hashed through a descriptor and loaded through a link to that same descriptor, which stands under the
file's name in a folder of its own. A file that is put in its place meanwhile is therefore never seen. One that is
written into meanwhile is found by its size and the time of its last change. Some engines must find files where they
lie; then one that was put in another's place is found afterwards, too.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from model_store.errors import DamagedArtifact, StoreError
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, UNREADABLE, Artifact, contained

# Digests of files that this process has hashed, by what changes when they do: a worker loads its variant several times.
_hashed: dict[tuple[int, ...], str] = {}


@contextmanager
def opened_artifact(artifact: Artifact, variant_dir: Path, *, in_place: bool = False) -> Iterator[Path]:
    """A folder in which an artifact's files are those that were hashed, until the end of the block.

    It is the variant's own `in_place`, and where an artifact has no hash, as in a folder without a manifest.

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
        folder = Path(stack.enter_context(_temporary_folder())) / variant_dir.name
        opened = {}
        for file, expected in artifact.sha256.items():
            descriptor = opened[file] = open_file(variant_dir, file)
            stack.callback(os.close, descriptor)
            check_digest(variant_dir, file, digest_of(descriptor), expected)
            _link(folder / file, descriptor)
        before = {file: _state(descriptor) for file, descriptor in opened.items()}
        yield variant_dir if in_place else folder
        for file, descriptor in opened.items():
            if before[file] != _state(variant_dir / file if in_place else descriptor):
                raise DamagedArtifact(
                    f"{file!r} of variant {variant_dir.name!r} was changed while it was loaded; load the variant again."
                )


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


def _temporary_folder() -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="paretoserve-")
    except OSError as exc:
        raise StoreError("There is no folder for temporary files; make /tmp writable, or name one in TMPDIR.") from exc


def _link(path: Path, descriptor: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(f"/proc/self/fd/{descriptor}")


def _state(file: Path | int) -> tuple[int, ...]:
    """Which file it is, and what changes when it is written to; nothing where there is none any more."""
    try:
        stat = os.fstat(file) if isinstance(file, int) else file.stat()
    except FileNotFoundError:
        return ()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
