"""`variant@backend`: what the command line names, and what a server is told to serve."""

from dataclasses import dataclass
from pathlib import Path

from handlers.backends.catalogue import BACKENDS, artifact_name
from handlers.inferred import manifest_of
from model_store.errors import ParetoServeError
from model_store.manifest import Manifest
from model_store.store import find_variant
from paretoserve.candidates.fastest import fastest_backend
from paretoserve.environments.catalogue import interpreter_for, is_installed
from paretoserve.terminal.progress import errors
from serving.front.settings import VariantSpec

# The backend of a folder that holds the user's own model_fn and nothing of ours.
USER_MODEL = "python"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A variant in its folder, and the backend to run it on."""

    folder: Path
    manifest: Manifest
    backend: str

    @property
    def name(self) -> str:
        return f"{self.manifest.variant}@{self.backend}"


def parse_candidate(text: str, model_dir: Path | None = None, unless_named: str | None = None) -> Candidate:
    """Read `DIR`, `DIR@BACKEND` or, with the folder of a model given, `VARIANT` and `VARIANT@BACKEND`.

    Where no backend is named it is `unless_named`, or the fastest that is installed.

    Raises:
        ParetoServeError: there is no such variant, or it has nothing for that backend.
    """
    path, backend = split_candidate(text)
    folder = find_variant(model_dir, path) if model_dir else Path(path)
    if not folder.is_dir():
        raise ParetoServeError(f"There is no folder {path!r}; give the folder of a variant, e.g. store/sst2/int8.")
    manifest = manifest_of(folder)
    return _checked(Candidate(folder, manifest, backend or unless_named or _default_backend(manifest, folder)))


def split_candidate(text: str) -> tuple[str, str]:
    """The folder or variant, and the backend, which is empty where none is named."""
    path, at, backend = text.rpartition("@")
    # An @ may be within the path.
    return (path, backend) if at and "/" not in backend else (text, "")


def _default_backend(manifest: Manifest, folder: Path) -> str:
    if not manifest.artifacts:
        return USER_MODEL
    ranked = sorted((one for one in BACKENDS.values() if one.rank is not None), key=lambda one: one.rank or 0)
    fitting = [one.name for one in ranked if one.artifact(manifest.artifacts) in manifest.artifacts]
    held = ", ".join(manifest.artifacts)
    if not fitting:
        raise ParetoServeError(
            f"Variant {manifest.variant!r} runs only on an engine that is named; give one of "
            f"{', '.join('@' + name for name in manifest.artifacts)}."
        )
    installed = [name for name in fitting if is_installed(name)]
    if not installed:
        raise ParetoServeError(
            f"None of the engines of variant {manifest.variant!r} ({held}) is installed; run: paretoserve env create "
            f"{fitting[0]}."
        )
    return fastest_backend(manifest, folder, installed, _say)


def _say(line: str) -> None:
    errors.print(line, markup=False, soft_wrap=True)


def _checked(candidate: Candidate) -> Candidate:
    artifacts = candidate.manifest.artifacts
    if candidate.backend == USER_MODEL and not artifacts:
        return candidate
    if candidate.backend not in BACKENDS:
        raise ParetoServeError(f"There is no backend {candidate.backend!r}; choose from {', '.join(BACKENDS)}.")
    if artifacts and artifact_name(candidate.backend, artifacts) not in artifacts:
        raise ParetoServeError(
            f"Variant {candidate.manifest.variant!r} has no artifact for {candidate.backend!r}; it has "
            f"{', '.join(artifacts)}."
        )
    return candidate


def variant_specs(candidates: list[Candidate], name: str | None = None) -> list[VariantSpec]:
    """Name each after its variant, or `variant@backend` where a variant is served on several backends.

    A single one may be given another `name`. Each gets the interpreter of its backend's environment, or ours if that
    has the engine.

    Raises:
        EnvironmentUnavailable: neither has it.
        ParetoServeError: there are several, and one name.
    """
    if name and len(candidates) > 1:
        raise ParetoServeError("--name is for a server of one variant; several are called by their own names.")
    variants = [candidate.manifest.variant for candidate in candidates]
    return [
        VariantSpec(
            name or (candidate.manifest.variant if variants.count(candidate.manifest.variant) == 1 else candidate.name),
            candidate.folder.resolve(),
            candidate.backend,
            interpreter_for(candidate.backend),
        )
        for candidate in candidates
    ]
