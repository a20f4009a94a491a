"""The manifest of a folder that holds none: an ONNX export, a plain checkpoint, or the user's own code."""

from pathlib import Path

from handlers.onnx_folder import EXPORT, export_artifacts, export_labels, export_max_tokens, is_export
from model_store.errors import StoreError, UnsupportedCheckpoint
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, Artifact, Manifest, Technique, read_manifest
from networks.config import read_shape

USER_CODE = "code/inference.py"
_WEIGHTS = "model.safetensors"
_CHECKPOINT = ("config.json", _WEIGHTS, TOKENIZER_FILE)


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
    config = read_shape(folder)
    artifact = Artifact(
        file=_WEIGHTS, layout="packed", precision="fp32", sha256={}, bytes=(folder / _WEIGHTS).stat().st_size
    )
    return _manifest(folder, labels=list(config.labels), max_tokens=config.max_tokens, artifacts={"torch": artifact})


def _manifest(folder: Path, *, labels: list[str], max_tokens: int, artifacts: dict[str, Artifact]) -> Manifest:
    return Manifest(
        model=folder.name,
        variant=folder.name,
        technique=Technique(recipe="none"),
        task_settings={"labels": labels},
        max_tokens=max_tokens,
        artifacts=artifacts,
    )
