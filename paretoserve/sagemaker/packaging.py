"""A variant as SageMaker takes it: its folder, which is the container's `/opt/ml/model`, as `model.tar.gz`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from handlers.backends.catalogue import artifact_name
from handlers.inferred import manifest_of
from model_store.code import hashes_of, read_code
from model_store.errors import ParetoServeError
from model_store.manifest import MANIFEST_FILE, Artifact, Manifest, sha256_of
from model_store.opened import verify_artifact
from model_store.predictions import PREDICTIONS_FILE
from model_store.tarball import write_tarball
from paretoserve.builds.package import files_below, hashed
from paretoserve.candidates.candidate import parse_candidate, split_candidate

SUFFIX = ".tar.gz"
HASH_SUFFIX = ".sha256"


@dataclass(frozen=True, slots=True)
class SageMakerArchive:
    """An archive with its hash, which is also written beside it, as `sha256sum --check` reads it."""

    path: Path
    sha256: str

    @property
    def hash_file(self) -> Path:
        return self.path.with_name(self.path.name + HASH_SUFFIX)


def package_for_sagemaker(variant: str, out: Path) -> SageMakerArchive:
    """Write the variant `DIR` or `DIR@BACKEND` as the archive `out`, and its SHA-256 beside it.

    With a backend, the files of the artifacts that others run are left out. What the artifacts answered when they were
    measured stays in the store.

    Raises:
        ParetoServeError: `out` is not called *.tar.gz or lies in the variant, or a file is missing or damaged.
    """
    if not out.name.endswith(SUFFIX):
        raise ParetoServeError(f"SageMaker takes archives that end in {SUFFIX}; give --out {_named(out)}.")
    folder, manifest, kept = _chosen(variant)
    if out.resolve().is_relative_to(folder.resolve()):
        raise ParetoServeError(f"{out.name!r} would lie in the variant that it holds; give --out another folder.")
    files = files_below(folder) - _files_of_others(manifest.artifacts, kept) - {PREDICTIONS_FILE}
    # What is hashed is what is written: read once.
    code = read_code(folder)
    artifacts = {name: _verified(artifact, folder) for name, artifact in kept.items()}
    written = msgspec.structs.replace(manifest, artifacts=artifacts, code=hashes_of(code), predictions=None)
    text = msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"
    out.parent.mkdir(parents=True, exist_ok=True)
    write_tarball(out, folder, files, code | {MANIFEST_FILE: text})
    archive = SageMakerArchive(out, sha256_of(out))
    archive.hash_file.write_text(f"{archive.sha256}  {out.name}\n")
    return archive


def _named(out: Path) -> Path:
    return out.with_name(out.name.partition(".")[0] + SUFFIX)


def _chosen(variant: str) -> tuple[Path, Manifest, Mapping[str, Artifact]]:
    """The folder, what it says of itself, and the artifacts that are packed: all, or the one of the named backend."""
    path, backend = split_candidate(variant)
    if not backend:
        folder = Path(path)
        if not folder.is_dir():
            raise ParetoServeError(f"There is no folder {path!r}; give the folder of a variant, e.g. store/sst2/int8.")
        manifest = manifest_of(folder)
        return folder, manifest, manifest.artifacts
    candidate = parse_candidate(variant)
    artifacts = candidate.manifest.artifacts
    kind = artifact_name(candidate.backend, artifacts)
    return candidate.folder, candidate.manifest, {kind: artifacts[kind]} if artifacts else {}


def _files_of_others(artifacts: Mapping[str, Artifact], kept: Mapping[str, Artifact]) -> set[str]:
    """Files that only artifacts need which are not packed."""
    needed = {file for artifact in kept.values() for file in (artifact.file, *artifact.sha256)}
    return {file for artifact in artifacts.values() for file in (artifact.file, *artifact.sha256)} - needed


def _verified(artifact: Artifact, folder: Path) -> Artifact:
    """The artifact, whose files are what the manifest says, with a hash of each; of a checkpoint it has none yet."""
    verify_artifact(artifact, folder)
    return hashed(artifact, folder, {artifact.file, *artifact.sha256})
