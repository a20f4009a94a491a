"""A variant as another server takes it: for TorchServe an archive, with the settings to serve it beside it."""

import re
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from handlers.backends.catalogue import BACKENDS, artifact_name
from handlers.user_code import INFERENCE_FILE
from model_store.errors import ParetoServeError
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, Artifact, contained, verify_artifact
from paretoserve.candidates.candidate import Candidate
from serving.torchserve.archive import Addresses, archive_files, properties
from serving.torchserve.envelope import HandlerConfig

CHECKPOINT_CONFIG = "config.json"
SUFFIX = ".mar"
SETTINGS_FILE = "config.properties"

# What torch-model-archiver takes for a name.
_NAME = re.compile(r"[A-Za-z0-9][\w\-.]*", re.ASCII)

# The same variant gives the same bytes: the earliest time that a zip file can state, for all of its files.
_TIME = (1980, 1, 1, 0, 0, 0)
_MODE = 0o644 << 16
_LARGE_BYTES = 2**31


@dataclass(frozen=True, slots=True)
class Packaged:
    """What was written. `name` is what the server calls the model."""

    name: str
    archive: Path
    settings: Path


def package_for_torchserve(candidate: Candidate, out: Path) -> Packaged:
    """Write the candidate as the TorchServe archive `out`, and `config.properties` beside it.

    Raises:
        ParetoServeError: `out` is not called *.mar, a name is none for TorchServe, or a file is missing or damaged.
    """
    if out.suffix != SUFFIX:
        raise ParetoServeError(f"A TorchServe archive ends in {SUFFIX}; give --out {out.with_suffix(SUFFIX)}.")
    name = candidate.manifest.variant
    if not all(map(_NAME.fullmatch, (name, out.name))):
        raise ParetoServeError(
            f"TorchServe takes letters, digits, '-', '_' and '.' in names; rename variant {name!r} or {out.name!r}."
        )
    kind = artifact_name(candidate.backend, candidate.manifest.artifacts)
    artifact = candidate.manifest.artifacts.get(kind)
    files = _files_of(candidate.folder, artifact)
    kept = {kind: artifact} if artifact else {}
    manifest = msgspec.json.encode(msgspec.structs.replace(candidate.manifest, artifacts=kept))
    engine = kind if BACKENDS[candidate.backend].server else candidate.backend
    written = archive_files(name, HandlerConfig(backend=engine)) | {MANIFEST_FILE: manifest}
    out.parent.mkdir(parents=True, exist_ok=True)
    _write_zip(out, candidate.folder, files, written)
    settings = out.with_name(SETTINGS_FILE)
    settings.write_text(properties(name, out.name, ".", Addresses()))
    return Packaged(name, out, settings)


def _files_of(folder: Path, artifact: Artifact | None) -> set[str]:
    """What an artifact needs of its variant, with the user's code; all files where the user's code is the model."""
    if artifact is None:
        return _tree(folder, folder)
    verify_artifact(artifact, folder)
    beside = {file for file in (CHECKPOINT_CONFIG, TOKENIZER_FILE) if (folder / file).is_file()}
    return {artifact.file, *artifact.sha256} | beside | _tree(folder / INFERENCE_FILE.parent, folder)


def _tree(top: Path, folder: Path) -> set[str]:
    paths = {path.relative_to(folder) for path in top.rglob("*") if path.is_file()}
    return {path.as_posix() for path in paths if not any(_is_left_out(part) for part in path.parts)}


def _is_left_out(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"


def _write_zip(out: Path, folder: Path, files: Iterable[str], written: dict[str, bytes]) -> None:
    """Files of a folder and others; not compressed, which weights hardly can be. Replaces `out` in a single step."""
    partial = out.with_name(f".{out.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            for name, content in sorted(written.items()):
                archive.writestr(_entry(name), content)
            for name in sorted(set(files) - written.keys()):
                _copy(archive, name, contained(folder, name))
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _copy(archive: zipfile.ZipFile, name: str, file: Path) -> None:
    large = file.stat().st_size >= _LARGE_BYTES
    with file.open("rb") as source, archive.open(_entry(name), "w", force_zip64=large) as target:
        shutil.copyfileobj(source, target, 2**20)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = _MODE
    return entry
