"""Speeds that were measured on this machine, kept outside the folders of models, which may be read-only.

A file for each artifact, engine and processor, in `paretoserve/speeds` of `$XDG_CACHE_HOME` or `~/.cache`; where that
cannot be written, in the folder for temporary files.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec

from model_store.manifest import Artifact


def speed_key(artifact: Artifact, backend: str, engine_version: str | None, processor: str) -> str:
    """Differs wherever the speed may differ."""
    told = (artifact.file, artifact.bytes, artifact.sha256, backend, engine_version, processor)
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


def kept_speed(key: str) -> float | None:
    """Tokens a second as they were kept; None where none are, or they cannot be read."""
    for folder in _folders():
        try:
            return msgspec.json.decode((folder / key).read_bytes(), type=float)
        except (OSError, msgspec.DecodeError):
            continue
    return None


def keep_speed(key: str, tokens_per_s: float) -> str | None:
    """Keep a speed where it can be written; what there is to say where that is not the user's own folder."""
    own, *others = _folders()
    if _write(own / key, tokens_per_s):
        return None
    for folder in others:
        if _write(folder / key, tokens_per_s):
            return f"{own} cannot be written; the measured speed is kept in {folder}"
    return f"{own} cannot be written; the speed will be measured again at the next start"


def _folders() -> tuple[Path, ...]:
    below = Path("paretoserve") / "speeds"
    return _user_caches() / below, Path(tempfile.gettempdir()) / f"paretoserve-{os.getuid()}" / below


def _user_caches() -> Path:
    if told := os.environ.get("XDG_CACHE_HOME"):
        return Path(told)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # a user whom the system does not know, as in a container
        return Path("/.cache")


def _write(file: Path, tokens_per_s: float) -> bool:
    """Put the file in its place in one step; whether that could be done."""
    partial = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(msgspec.json.encode(tokens_per_s))
        partial.replace(file)
    except OSError:
        return False
    return True
