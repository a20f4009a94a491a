"""The user's own code in a variant, `code/`: which files those are, and whether they are the ones that were hashed."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from model_store.errors import DamagedArtifact
from model_store.manifest import MANIFEST_FILE
from model_store.opened import check_digest, open_file

CODE_FOLDER = "code"


def read_code(variant_dir: Path) -> dict[str, bytes]:
    """The content of each file of `code/`, by its name in the variant.

    What is hidden is left out, and so is what Python keeps of compiled modules.

    Raises:
        DamagedArtifact: a link leads out of the folder.
        StoreError: this user may not read a file.
    """
    return {name: _content(variant_dir, name) for name in sorted(_names(variant_dir))}


def hashes_of(code: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in code.items()}


def read_hashed_code(variant_dir: Path, sha256: Mapping[str, str]) -> dict[str, bytes]:
    """The same, once every file was found to be what the manifest says.

    Raises:
        DamagedArtifact: a file is missing, has no hash, or its bytes differ.
        StoreError: this user may not read a file.
    """
    if unknown := set(_names(variant_dir)) - sha256.keys():
        raise DamagedArtifact(
            f"{MANIFEST_FILE} of {variant_dir.name!r} has no SHA-256 of {min(unknown)!r}; take the file away, or "
            "package the variant again."
        )
    code = {name: _content(variant_dir, name) for name in sha256}
    for name, found in hashes_of(code).items():
        check_digest(variant_dir, name, found, sha256[name])
    return code


def _names(variant_dir: Path) -> Iterator[str]:
    for path in (variant_dir / CODE_FOLDER).rglob("*"):
        parts = path.relative_to(variant_dir).parts
        # A link to a folder is named, too: modules could be imported from there.
        if (path.is_file() or path.is_symlink()) and not any(_is_left_out(part) for part in parts):
            yield "/".join(parts)


def _is_left_out(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"


def _content(variant_dir: Path, name: str) -> bytes:
    with os.fdopen(open_file(variant_dir, name), "rb") as file:
        return file.read()
