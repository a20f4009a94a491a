"""The store: a folder of models, each a folder of variants (`store/sst2-minilm/int8/variant.json`).

Needs no engine: a server lists and reads variants with this, and recipes' output is put in place with it.
"""

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_store.errors import StoreError, UnknownVariant
from model_store.manifest import MANIFEST_FILE, Manifest, read_manifest


def variant_dirs(store: Path) -> list[Path]:
    """The folders of all variants of all models in `store`, sorted by name.

    Raises:
        StoreError: there is no such folder.
    """
    if not store.is_dir():
        raise StoreError(f"There is no store {store.name!r}; build a variant into it, or give another folder.")
    return [variant for model in sorted(store.iterdir()) if model.is_dir() for variant in _variants_of(model)]


def _variants_of(model_dir: Path) -> list[Path]:
    # A name with a leading dot is one that `staging` has not finished.
    folders = sorted(model_dir.iterdir()) if model_dir.is_dir() else []
    return [f for f in folders if not f.name.startswith(".") and (f / MANIFEST_FILE).is_file()]


def list_variants(store: Path) -> list[tuple[Path, Manifest]]:
    """Each variant in `store` with its manifest.

    Raises:
        StoreError: there is no such store, or a manifest in it cannot be read.
    """
    return [(folder, read_manifest(folder)) for folder in variant_dirs(store)]


def find_variant(model_dir: Path, name: str) -> Path:
    """The folder of variant `name` of one model.

    Raises:
        UnknownVariant: the model has none of that name; the message names those it has.
    """
    known = {folder.name: folder for folder in _variants_of(model_dir)}
    if name not in known:
        raise UnknownVariant(name, tuple(known))
    return known[name]


@contextmanager
def staging(variant_dir: Path) -> Iterator[Path]:
    """An empty folder to write a variant into; it becomes `variant_dir` if the block succeeds.

    Until then an older variant of the name stays as it is, and if the block fails nothing remains. The swap is two
    renames on one file system, so nobody ever reads half a variant. What a process left that was killed meanwhile is
    removed by the next that writes the variant.
    """
    _clear_up(variant_dir)
    staged = variant_dir.with_name(f".{variant_dir.name}.{uuid.uuid4().hex}")
    staged.mkdir(parents=True)
    held = os.open(staged, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield staged
        _share(staged)
        _replace(variant_dir, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        os.close(held)


def _clear_up(variant_dir: Path) -> None:
    """Remove what processes left that were killed; between the two renames of one, the older variant comes back."""
    name = re.compile(rf"(\.{re.escape(variant_dir.name)}\.[0-9a-f]{{32}})(\.older)?")
    beside = variant_dir.parent.iterdir() if variant_dir.parent.is_dir() else ()
    for found in {match[1] for one in beside if (match := name.fullmatch(one.name))}:
        staged = variant_dir.with_name(found)
        if _is_held(staged):
            continue
        if not variant_dir.exists() and _older(staged).is_dir():
            _older(staged).rename(variant_dir)
        for folder in (staged, _older(staged)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_held(staged: Path) -> bool:
    """Whether a process writes into it; the lock of one that was killed went with it."""
    try:
        folder = os.open(staged, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(folder)
    return False


def _share(folder: Path) -> None:
    """Let those read the files who may read the folder: some writers keep theirs to themselves, and servers, in
    containers above all, run as other users."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(folder.stat().st_mode & 0o666)


def _replace(variant_dir: Path, staged: Path) -> None:
    """Put `staged` in the place of the older variant, if there is one."""
    if not variant_dir.exists():
        staged.rename(variant_dir)
        return
    older = _older(staged)
    variant_dir.rename(older)
    try:
        staged.rename(variant_dir)
    except OSError:
        older.rename(variant_dir)
        raise
    shutil.rmtree(older, ignore_errors=True)


def _older(staged: Path) -> Path:
    """Where the older variant lies between the two renames."""
    return staged.with_name(f"{staged.name}.older")
