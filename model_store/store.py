"""The store: a folder of models, each a folder of variants (`store/sst2-minilm/int8/variant.json`).

Needs no engine: a server lists and reads variants with this, and recipes' output is put in place with it.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_store.bert_config import read_config
from model_store.errors import StoreError, UnknownVariant, UnsupportedCheckpoint
from model_store.manifest import MANIFEST_FILE, Artifact, Manifest, Technique, read_manifest
from model_store.onnx_folder import EXPORT, export_artifacts, export_labels, export_max_tokens, is_export
from model_store.tokenizer import TOKENIZER_FILE

USER_CODE = "code/inference.py"
_WEIGHTS = "model.safetensors"
_CHECKPOINT = ("config.json", _WEIGHTS, TOKENIZER_FILE)


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
    renames on one file system, so nobody ever reads half a variant.
    """
    staged = variant_dir.with_name(f".{variant_dir.name}.{uuid.uuid4().hex}")
    staged.mkdir(parents=True)
    try:
        yield staged
        _share(staged)
        _replace(variant_dir, staged)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _share(folder: Path) -> None:
    """Let those read the files who may read the folder: some writers keep theirs to themselves, and servers, in
    containers above all, run as other users."""
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(folder.stat().st_mode & 0o666)


def _replace(variant_dir: Path, staged: Path) -> None:
    """Afterwards `staged` is the older variant, if there was one."""
    if not variant_dir.exists():
        staged.rename(variant_dir)
        return
    older = staged.with_name(f"{staged.name}.older")
    variant_dir.rename(older)
    try:
        staged.rename(variant_dir)
    except OSError:
        older.rename(variant_dir)
        raise
    older.rename(staged)


def manifest_of(folder: Path) -> Manifest:
    """What the variant in `folder` says of itself, or what can be told from its files.

    Raises:
        StoreError: it is nothing that can be served, or its manifest cannot be read.
    """
    return read_manifest(folder) if (folder / MANIFEST_FILE).is_file() else inferred_manifest(folder)


def inferred_manifest(folder: Path) -> Manifest:
    """The manifest of a folder without one: an ONNX export, a plain Hugging Face checkpoint, or a user's own code.

    Nothing was measured, so it holds no quality and no golden inputs. An export goes before the checkpoint that it was
    made of, whose architecture may be one that we do not know.

    Raises:
        StoreError: the folder is none of these.
        UnsupportedCheckpoint: it holds a checkpoint of another architecture, and no code that would load it.
    """
    folder = folder.resolve()
    if is_export(folder):
        return _manifest(
            folder,
            labels=export_labels(folder),
            max_tokens=export_max_tokens(folder),
            artifacts=export_artifacts(folder),
        )
    has_code = (folder / USER_CODE).is_file()
    if all((folder / file).is_file() for file in _CHECKPOINT):
        try:
            return _checkpoint_manifest(folder)
        except UnsupportedCheckpoint:
            # The user's model_fn may well load what we cannot.
            if not has_code:
                raise
    if has_code:
        return _manifest(folder, labels=[], max_tokens=512, artifacts={})
    raise StoreError(
        f"{folder.name!r} cannot be served; give a variant built by ParetoServe ({MANIFEST_FILE}), a fine-tuned "
        f"Hugging Face checkpoint ({', '.join(_CHECKPOINT)}), an ONNX export ({', '.join(EXPORT)}), or a folder with "
        f"{USER_CODE}."
    )


def _checkpoint_manifest(folder: Path) -> Manifest:
    config = read_config(folder)
    artifact = Artifact(
        file=_WEIGHTS, layout="packed", precision="fp32", sha256={}, bytes=(folder / _WEIGHTS).stat().st_size
    )
    return _manifest(folder, labels=list(config.labels), max_tokens=config.max_tokens, artifacts={"torch": artifact})


def _manifest(folder: Path, *, labels: list[str], max_tokens: int, artifacts: dict[str, Artifact]) -> Manifest:
    return Manifest(
        model=folder.name,
        variant=folder.name,
        technique=Technique(recipe="none"),
        labels=labels,
        max_tokens=max_tokens,
        artifacts=artifacts,
    )
