"""What was measured on this machine, kept outside the folders of models, which may be read-only.

A file for each thing that was measured, below `paretoserve` in `$XDG_CACHE_HOME` or `~/.cache`; where that cannot be
written, in the folder for temporary files.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec


def key_of(*told: Any) -> str:
    """A name of a file for what was measured of exactly this, made of JSON's own types."""
    return hashlib.sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


def folders(kind: str) -> tuple[Path, Path]:
    """Where measurements of a kind lie: in the user's own folder, or in that for temporary files."""
    below = Path("paretoserve") / kind
    return _user_caches() / below, Path(tempfile.gettempdir()) / f"paretoserve-{os.getuid()}" / below


def read(kind: str, key: str) -> bytes | None:
    """What was kept; None where nothing was."""
    for folder in folders(kind):
        try:
            return (folder / key).read_bytes()
        except OSError:
            continue
    return None


def write(kind: str, key: str, content: bytes) -> Path | None:
    """Put the file in its place in one step; the folder that it is in, None where none can be written."""
    return next((folder for folder in folders(kind) if _write(folder / key, content)), None)


def _user_caches() -> Path:
    if told := os.environ.get("XDG_CACHE_HOME"):
        return Path(told)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # a user whom the system does not know, as in a container
        return Path("/.cache")


def _write(file: Path, content: bytes) -> bool:
    partial = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(file)
    except OSError:
        return False
    return True
