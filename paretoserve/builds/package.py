"""A variant as another server takes it: for TorchServe an archive, with the settings to serve it beside it."""

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from handlers.backends.catalogue import BACKENDS, artifact_name
from model_store.archive import write_archive
from model_store.code import hashes_of, read_code
from model_store.errors import DamagedArtifact, ParetoServeError
from model_store.manifest import MANIFEST_FILE, TOKENIZER_FILE, Artifact, contained, sha256_of
from model_store.opened import verify_artifact
from paretoserve.candidates.candidate import Candidate
from serving.torchserve.archive import Addresses, archive_files, properties
from serving.torchserve.envelope import HandlerConfig

CHECKPOINT_CONFIG = "config.json"
SUFFIX = ".mar"
SETTINGS_FILE = "config.properties"

# What torch-model-archiver takes for a name.
_NAME = re.compile(r"[A-Za-z0-9][\w\-.]*", re.ASCII)


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
    kept = {kind: hashed(artifact, candidate.folder, files)} if artifact else {}
    # What is hashed is what is written: read once.
    code = read_code(candidate.folder)
    # What the artifacts answered stays in the store.
    manifest = msgspec.structs.replace(candidate.manifest, artifacts=kept, code=hashes_of(code), predictions=None)
    engine = kind if BACKENDS[candidate.backend].server else candidate.backend
    written = archive_files(name, HandlerConfig(backend=engine)) | code | {MANIFEST_FILE: msgspec.json.encode(manifest)}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_archive(out, candidate.folder, files, written)
    settings = out.with_name(SETTINGS_FILE)
    settings.write_text(properties(name, out.name, ".", Addresses()))
    return Packaged(name, out, settings)


def _files_of(folder: Path, artifact: Artifact | None) -> set[str]:
    """What an artifact needs of its variant, without the user's code; all files where that is the model."""
    if artifact is None:
        return files_below(folder)
    verify_artifact(artifact, folder)
    beside = {file for file in (CHECKPOINT_CONFIG, TOKENIZER_FILE) if (folder / file).is_file()}
    return {artifact.file, *artifact.sha256} | beside


def hashed(artifact: Artifact, folder: Path, files: set[str]) -> Artifact:
    """The artifact with the SHA-256 of all its files; a folder without a manifest has none yet."""
    missing = {file: sha256_of(contained(folder, file)) for file in files - artifact.sha256.keys()}
    return msgspec.structs.replace(artifact, sha256=artifact.sha256 | missing)


def files_below(folder: Path) -> set[str]:
    """Their names in the folder, but for what is hidden and what Python keeps of compiled modules.

    Raises:
        DamagedArtifact: a folder in it is a link, behind which anything may lie.
    """
    found = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if any(_is_left_out(part) for part in name.parts):
            continue
        if path.is_symlink() and path.is_dir():
            raise DamagedArtifact(f"{name.as_posix()!r} in {folder.name!r} is a link to a folder; put the files there.")
        if path.is_file():
            found.add(name.as_posix())
    return found


def _is_left_out(part: str) -> bool:
    return part.startswith(".") or part == "__pycache__"
