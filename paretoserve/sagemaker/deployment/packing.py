"""What an endpoint is made of: variants or archives that were packaged before, with names that SageMaker takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from handlers.inferred import manifest_of
from model_store.errors import ParetoServeError
from model_store.manifest import Manifest, sha256_of
from model_store.unpacking import unpack_tarball
from paretoserve.candidates.candidate import USER_MODEL, parse_candidate, split_candidate
from paretoserve.sagemaker.deployment.calls import Upload
from paretoserve.sagemaker.deployment.checks import check_name
from paretoserve.sagemaker.packaging import HASH_SUFFIX, SUFFIX, package_for_sagemaker

# What S3 takes in one PutObject.
MOST_BYTES = 5 * 2**30


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive ready to be uploaded. `name` is what the endpoint calls it: `int8`, or `int8-openvino`."""

    name: str
    variant: str
    backend: str
    archive: Upload
    sha256: str

    @property
    def candidate(self) -> str:
        """As reports call it."""
        return f"{self.variant}@{self.backend}"


def pack_all(texts: Sequence[str], work: Path) -> list[Packed]:
    """Pack each `DIR@BACKEND` or `ARCHIVE@BACKEND`, with `work` as a folder for what is made.

    Raises:
        ParetoServeError: one is missing or damaged, names no engine, or has the name of another.
    """
    found = []
    for i, text in enumerate(texts):
        (folder := work / str(i)).mkdir()
        found.append(_packed(text, folder))
    return _named_apart(found)


def _packed(text: str, work: Path) -> Packed:
    path, backend = split_candidate(text)
    if path.endswith(SUFFIX):
        manifest, archive = _unpacked(Path(path), work / "model"), Path(path)
        backend = _backend_of(text, backend, manifest)
        parse_candidate(f"{work / 'model'}@{backend}")
    else:
        if not Path(path).is_dir():
            raise ParetoServeError(f"There is no folder {path!r}; give a variant, e.g. store/sst2/int8@openvino.")
        manifest = manifest_of(Path(path))
        backend = _backend_of(text, backend, manifest)
        archive = package_for_sagemaker(f"{path}@{backend}", work / f"model{SUFFIX}").path
    if (size := archive.stat().st_size) > MOST_BYTES:
        raise ParetoServeError(
            f"The archive of {text!r} has {size / 1e9:.1f} GB; S3 takes {MOST_BYTES / 1e9:.1f} at once."
        )
    name = check_name(_sagemaker_name(manifest.variant), "The variant")
    return Packed(name, manifest.variant, backend, Upload(archive, text), sha256_of(archive))


def _unpacked(archive: Path, folder: Path) -> Manifest:
    """What an archive says of itself; it must be the one that was packaged, where its hash lies beside it."""
    beside = archive.with_name(archive.name + HASH_SUFFIX)
    sha256 = None
    if beside.is_file():
        sha256, *_ = beside.read_text(errors="replace").split() or [""]
    unpack_tarball(archive, folder, sha256=sha256)
    return manifest_of(folder)


def _backend_of(text: str, named: str, manifest: Manifest) -> str:
    if named:
        return named
    if not manifest.artifacts:
        return USER_MODEL
    choices = ", ".join(f"{text}@{kind}" for kind in manifest.artifacts)
    raise ParetoServeError(f"Which engine is to run {text!r} on the endpoint? Name it: {choices}.")


def _sagemaker_name(name: str) -> str:
    """With '-' for what SageMaker has in no name: `layers:3+int8` becomes `layers-3-int8`."""
    return re.sub(r"[^a-zA-Z0-9]+", "-", name).strip("-")


def _named_apart(packed: list[Packed]) -> list[Packed]:
    """With the engine in the name where a variant is there on several."""
    names = [one.name for one in packed]
    apart = [
        one if names.count(one.name) == 1 else replace(one, name=_sagemaker_name(f"{one.name}-{one.backend}"))
        for one in packed
    ]
    names = [one.name for one in apart]
    for one in apart:
        if names.count(one.name) > 1:
            raise ParetoServeError(
                f"Two candidates would be called {one.name!r} on the endpoint; leave one of them out."
            )
    return apart
