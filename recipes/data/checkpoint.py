"""Where checkpoints come from: a folder, or the Hugging Face Hub."""

from pathlib import Path

from model_store.errors import UnsupportedCheckpoint
from model_store.manifest import sha256_of

# Named one by one: pickled weights are never fetched.
CHECKPOINT_FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"]


def fetch_checkpoint(source: str) -> Path:
    """The folder of the checkpoint `source`: a local folder, or a Hub id, downloaded unless it is cached.

    Raises:
        UnsupportedCheckpoint: there is no such folder, and the Hub has none of that name or cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download
    except ImportError as exc:
        raise UnsupportedCheckpoint(
            f"{source!r} is no folder here; to fetch it from the Hugging Face Hub, install paretoserve[build]."
        ) from exc
    try:
        return Path(snapshot_download(source, allow_patterns=CHECKPOINT_FILES))
    except (OSError, ValueError) as exc:  # what huggingface_hub raises derives from these
        raise UnsupportedCheckpoint(
            f"{source!r} is no folder here, and cannot be had from the Hugging Face Hub "
            f"({str(exc).splitlines()[0]}); check the name and the network, or give a local folder."
        ) from exc


def checkpoint_hashes(folder: Path) -> dict[str, str]:
    """The hashes of the files of a checkpoint: what it is, whatever it is called."""
    files = [folder / name for name in CHECKPOINT_FILES]
    return {file.name: sha256_of(file) for file in files if file.is_file()}
