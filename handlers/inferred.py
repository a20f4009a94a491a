"""The manifest of a folder that holds none: an ONNX export, a plain checkpoint, or the user's own code."""

from pathlib import Path

from handlers.onnx_folder import EXPORT, export_artifacts, is_export
from handlers.own_code.entry import entry_name
from handlers.published_config import config_labels, config_max_tokens, is_sequence_classifier
from model_store.errors import StoreError, UnsupportedCheckpoint
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, Artifact, Layout, Manifest, Technique, read_manifest
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
    made of. A checkpoint that our own network does not compute is for the library of its makers.

    Raises:
        StoreError: the folder is none of these.
        UnsupportedCheckpoint: it holds a checkpoint that is no classifier of texts, and no code that would load it.
    """
    folder = folder.resolve()
    if is_export(folder):
        return _published_manifest(folder, export_artifacts(folder))
    has_code = entry_name(folder) is not None
    if all((folder / file).is_file() for file in _CHECKPOINT):
        try:
            return _checkpoint_manifest(folder)
        except UnsupportedCheckpoint:
            # The user's model_fn may well load what our network cannot.
            if not has_code and not is_sequence_classifier(folder):
                raise
            if not has_code:
                return _published_manifest(folder, {"transformers": _weights(folder, "padded")})
    if has_code:
        return _manifest(folder, labels=[], max_tokens=512, artifacts={})
    raise StoreError(
        f"{folder.name!r} cannot be served; give a variant built by ParetoServe ({MANIFEST_FILE}), a fine-tuned "
        f"Hugging Face checkpoint ({', '.join(_CHECKPOINT)}), an ONNX export ({', '.join(EXPORT)}), or a folder with "
        f"{USER_CODE}."
    )


def _checkpoint_manifest(folder: Path) -> Manifest:
    config = read_shape(folder)
    artifacts = {"torch": _weights(folder, "packed")}
    return _manifest(folder, labels=list(config.labels), max_tokens=config.max_tokens, artifacts=artifacts)


def _published_manifest(folder: Path, artifacts: dict[str, Artifact]) -> Manifest:
    return _manifest(folder, labels=config_labels(folder), max_tokens=config_max_tokens(folder), artifacts=artifacts)


def _weights(folder: Path, layout: Layout) -> Artifact:
    size = (folder / _WEIGHTS).stat().st_size
    return Artifact(file=_WEIGHTS, layout=layout, precision="fp32", sha256={}, bytes=size)


def _manifest(folder: Path, *, labels: list[str], max_tokens: int, artifacts: dict[str, Artifact]) -> Manifest:
    return Manifest(
        model=folder.name,
        variant=folder.name,
        technique=Technique(recipe="none"),
        task_settings={"labels": labels},
        max_tokens=max_tokens,
        artifacts=artifacts,
    )
