"""The speed of an artifact, measured by a process of the interpreter that will serve it."""

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

import msgspec

from handlers.backends.processor import processor
from handlers.speed import Measured, Outcome, SpeedTrial
from model_store.errors import BackendError
from model_store.manifest import TOKENIZER_FILE, Artifact, Manifest, Speed
from paretoserve.environments.catalogue import interpreter_for
from paretoserve.measuring.logits import raised_elsewhere
from serving.cpu_plan import usable_cores

# Of texts, in tokens, where the manifest tells no lengths of its data: as sentences of reviews have them.
USUAL_LENGTHS = (9, 11, 13, 16, 19, 21, 24, 28, 31, 34, 39, 45)

# While an artifact is built there is time: DeepSparse compiles a large model for minutes.
BUILDING_S = 300.0


def measured_speed(
    backend: str, artifact: Artifact, manifest: Manifest, folder: Path, limit_s: float = BUILDING_S
) -> Speed:
    """How fast an artifact in `folder` is on this machine, found within `limit_s` seconds; raises as `measured`."""
    return speed_of(measured(backend, artifact, manifest, folder, limit_s))


def speed_of(found: Measured) -> Speed:
    """What a manifest keeps of it."""
    return Speed(tokens_per_s=round(found.tokens_per_s, 1), processor=str(processor()))


def measured(
    backend: str, artifact: Artifact, manifest: Manifest, folder: Path, limit_s: float = BUILDING_S
) -> Measured:
    """How fast an artifact in `folder` is, and what the engine executes of it, found within `limit_s` seconds.

    Raises:
        EnvironmentUnavailable: the engine is not installed.
        ParetoServeError: what the engine's process raised, as it was raised there.
        BackendError: the engine ended that process, or was ended since that time was over.
    """
    trial = SpeedTrial(
        backend=backend,
        file=str((folder / artifact.file).absolute()),
        precision=artifact.precision,
        layout=artifact.layout,
        tokenizer=str((folder / TOKENIZER_FILE).absolute()),
        max_tokens=manifest.max_tokens,
        cores=len(usable_cores()),
        lengths=tuple(manifest.token_lengths) or USUAL_LENGTHS,
    )
    return _outcome(trial, limit_s)


def _outcome(trial: SpeedTrial, limit_s: float) -> Measured:
    command = [interpreter_for(trial.backend), "-P", "-m", "handlers.speed"]
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
        asked.write(msgspec.json.encode(trial))
        asked.seek(0)
        # In a group of its own, so that whatever an engine starts can be ended with it.
        process = subprocess.Popen(  # noqa: S603
            command, stdin=asked, stdout=subprocess.PIPE, stderr=said, start_new_session=True
        )
        try:
            line, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as exc:
            raise BackendError(f"{trial.backend} was not measured within {limit_s:g} s.") from exc
        finally:
            _end(process)
        if not line:
            raise BackendError(_death(trial, process.returncode, said))
        outcome = msgspec.json.decode(line, type=Outcome)
        if isinstance(outcome, Measured):
            return outcome
        raise raised_elsewhere(outcome)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.stdout is not None, "this is a bug: its outcome comes through a pipe"
    process.stdout.close()


def _death(trial: SpeedTrial, code: int, said: IO[bytes]) -> str:
    said.seek(0)
    last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    return (
        f"The process that measured the speed of {trial.backend} ended with {code}"
        f"{': ' + last[0].rstrip('.') if last else ''}."
    )
