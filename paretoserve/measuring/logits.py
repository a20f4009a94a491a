"""An artifact measured by a process of the interpreter that will serve it, whatever engine that holds."""

import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

import msgspec

from handlers.trial import Failure, Line, Trial
from model_store import errors
from model_store.errors import BackendError, ParetoServeError
from paretoserve.environments.catalogue import interpreter_for

_LINES: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def measured_logits(trial: Trial) -> Iterator[list[float]]:
    """The logits of each text of a trial, as they come.

    Raises:
        EnvironmentUnavailable: the engine is not installed.
        ParetoServeError: what the engine's process raised, as it was raised there.
        BackendError: the engine ended that process.
    """
    command = [interpreter_for(trial.backend), "-P", "-m", "handlers.trial"]
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said:
        asked.write(msgspec.json.encode(trial))
        asked.seek(0)
        process = subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, stderr=said)  # noqa: S603
        assert process.stdout is not None, "this is a bug: its answers come through a pipe"
        try:
            count = 0
            for count, line in enumerate(process.stdout, 1):  # noqa: B007
                yield _logits(line)
            process.wait()
            # How it ended after the last answer is no matter: some engines fail in their own clearing up.
            if count < len(trial.texts):
                raise BackendError(_death(trial, process.returncode, said))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _logits(line: bytes) -> list[float]:
    answer = _LINES.decode(line)
    if isinstance(answer, Failure):
        raise raised_elsewhere(answer)
    return answer


def raised_elsewhere(failure: Failure) -> ParetoServeError:
    """The error of another process, with the message that it had there."""
    kind: type[ParetoServeError] = getattr(errors, failure.error)
    # Some make their message of other arguments, which did not travel.
    return kind.__new__(kind, failure.message)


def _death(trial: Trial, code: int, said: IO[bytes]) -> str:
    said.seek(0)
    last = said.read().decode(errors="replace").strip().splitlines()[-1:]
    return (
        f"The process that measured the {trial.backend} artifact ended with {code}"
        f"{': ' + last[0].rstrip('.') if last else ''}."
    )
