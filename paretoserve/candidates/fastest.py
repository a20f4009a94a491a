"""The engine of a variant where nobody named one: of those that are installed, the fastest on this processor.

`build` measured each artifact. That counts where this is the same processor; elsewhere each engine is measured once.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from handlers.backends.catalogue import artifact_name
from handlers.backends.processor import processor
from model_store.errors import ParetoServeError
from model_store.manifest import Artifact, Manifest
from paretoserve.candidates.speed_cache import keep_speed, kept_speed, speed_key
from paretoserve.environments.catalogue import engine_version

# What an engine has to be measured in, loading and all; then it is ended, and counts as slower than the others.
LIMIT_S = 10.0

Measure = Callable[[str], float]
"""Tokens a second of a backend; raises ParetoServeError where that cannot be found."""

Say = Callable[[str], None]


def fastest_backend(manifest: Manifest, folder: Path, installed: Sequence[str], say: Say) -> str:
    """Of backends that are installed, best first where nothing is known, the fastest for the variant in `folder`."""
    if len(installed) == 1:
        return installed[0]
    here, artifacts = str(processor()), _artifacts(manifest, installed)
    keys = {name: speed_key(artifacts[name], name, engine_version(name), here) for name in installed}
    kept = {name: speed for name, key in keys.items() if (speed := kept_speed(key)) is not None}
    known = kept | built_speeds(artifacts, here)

    def measure(name: str) -> float:
        speed = _measured(manifest, folder, name, artifacts[name], say)
        if trouble := keep_speed(keys[name], speed):
            say(trouble)
        return speed

    return fastest(manifest.variant, installed, known, measure, say)


def built_speeds(artifacts: Mapping[str, Artifact], processor: str) -> dict[str, float]:
    """The speeds of those artifacts that were measured on this processor when they were built."""
    measured = {name: artifact.speed for name, artifact in artifacts.items()}
    return {name: speed.tokens_per_s for name, speed in measured.items() if speed and speed.processor == processor}


def fastest(variant: str, installed: Sequence[str], known: Mapping[str, float], measure: Measure, say: Say) -> str:
    """The backend with the best speed, the first of several; what is not known is measured, and told of."""
    missing = [name for name in installed if name not in known]
    if missing:
        say(f"Measuring which engine runs {variant} fastest on this processor: once, up to {LIMIT_S:g} s for each …")
    speeds = {**known, **{name: measure(name) for name in missing}}
    best = max(installed, key=lambda name: speeds[name])
    if missing:
        figures = ", ".join(f"{name} {speeds[name]:,.0f}" for name in installed if speeds[name])
        say(f"Measured {figures or 'none'} tokens/s; serving {variant} on {best}")
    return best


def _artifacts(manifest: Manifest, installed: Sequence[str]) -> dict[str, Artifact]:
    return {name: manifest.artifacts[artifact_name(name, manifest.artifacts)] for name in installed}


def _measured(manifest: Manifest, folder: Path, backend: str, artifact: Artifact, say: Say) -> float:
    """Tokens a second; 0 where the engine fails or takes too long, which is told."""
    # It brings arrays along, which a server with one engine, or a variant that was built here, does without.
    from paretoserve.measuring.speed import measured_speed

    try:
        return measured_speed(backend, artifact, manifest, folder, LIMIT_S).tokens_per_s
    except ParetoServeError as exc:
        say(f"{backend} is left out: {exc}")
        return 0.0
