"""Speeds that were measured on this machine: a file for each artifact, engine and processor."""

import msgspec

from model_store import machine_cache
from model_store.manifest import Artifact

KIND = "speeds"


def speed_key(artifact: Artifact, backend: str, engine_version: str | None, processor: str) -> str:
    """Differs wherever the speed may differ."""
    return machine_cache.key_of(artifact.file, artifact.bytes, artifact.sha256, backend, engine_version, processor)


def kept_speed(key: str) -> float | None:
    """Tokens a second as they were kept; None where none are, or they cannot be read."""
    try:
        return msgspec.json.decode(machine_cache.read(KIND, key) or b"", type=float)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def keep_speed(key: str, tokens_per_s: float) -> str | None:
    """Keep a speed where it can be written; what there is to say where that is not the user's own folder."""
    own, _ = machine_cache.folders(KIND)
    folder = machine_cache.write(KIND, key, msgspec.json.encode(tokens_per_s))
    if folder is None:
        return f"{own} cannot be written; the speed will be measured again at the next start"
    return None if folder == own else f"{own} cannot be written; the measured speed is kept in {folder}"
