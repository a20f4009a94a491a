"""What was measured of a variant at a worker's start, kept for its next start on this machine.

Where models come and go, as on a multi-model endpoint, each load would measure again, on cores that others use.
"""

from collections.abc import Sequence

import msgspec

from handlers.backends.catalogue import artifact_name
from handlers.backends.processor import processor
from model_store import machine_cache
from model_store.manifest import Manifest
from serving.cpu_plan import StreamSplit
from serving.wire.cost import Cost

KIND = "calibrations"


class Calibration(msgspec.Struct, frozen=True):
    """The fastest split of a worker's cores, what calls cost with it, and how many tokens a call should have; measured
    on this version of the engine."""

    split: StreamSplit
    cost: Cost
    call_tokens: int
    engine_version: str


def calibration_key(
    manifest: Manifest, backend: str, splits: Sequence[StreamSplit], batch_tokens: int, cores: tuple[int, ...]
) -> str | None:
    """Differs wherever what is measured may differ, but for the engine's version; None for a user's own model."""
    artifact = manifest.artifacts.get(artifact_name(backend, manifest.artifacts))
    if artifact is None:
        return None
    of_model = artifact.file, artifact.bytes, artifact.sha256, manifest.max_tokens, manifest.token_lengths
    return machine_cache.key_of(*of_model, backend, str(processor()), sorted(splits), batch_tokens, len(cores))


def kept_calibration(key: str) -> Calibration | None:
    """None where none was kept, or it cannot be read."""
    try:
        return msgspec.json.decode(machine_cache.read(KIND, key) or b"", type=Calibration)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def keep_calibration(key: str, calibration: Calibration) -> None:
    """Where it cannot be written, the next load measures again."""
    machine_cache.write(KIND, key, msgspec.json.encode(calibration))
