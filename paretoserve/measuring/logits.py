"""An artifact measured by a process of the interpreter that will serve it, whatever engine that holds."""

import subprocess
import tempfile
from collections.abc import Iterator
from typing import IO

import msgspec

from handlers.trial import Failure, Line, Outcome, Trial
from model_store import errors
from model_store.errors import BackendError, ParetoServeError
from paretoserve.environments.catalogue import interpreter_for

_LINES: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


def trial_outcomes(trial: Trial) -> Iterator[Outcome]:
    """What the artifact of a trial gives for each of its texts, as it comes.

    Raises:
        EnvironmentUnavailable: the engine is not installed.
        ParetoServeError: what the engine's process raised, as it was raised there.
        BackendError: the engine ended that process.
    """
    command = [interpreter_for(trial.backend), "-P", "-m", "handlers.trial"]
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as printed:
        asked.write(msgspec.json.encode(trial))
        asked.seek(0)
        process = subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, stderr=printed)  # noqa: S603
        assert process.stdout is not None, "this is a bug: its outcomes come through a pipe"
        try:
            count = 0
            for count, line in enumerate(process.stdout, 1):  # noqa: B007
                yield _outcome(line)
            process.wait()
            # How it ended after the last outcome is no matter: some engines fail in their own clearing up.
            if count < len(trial.texts):
                raise BackendError(_death(trial, process.returncode, printed))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def _outcome(line: bytes) -> Outcome:
    outcome = _LINES.decode(line)
    if isinstance(outcome, Failure):
        raise raised_elsewhere(outcome)
    return outcome


def raised_elsewhere(failure: Failure) -> ParetoServeError:
    """The error of another process, with the message that it had there."""
    kind: type[ParetoServeError] = getattr(errors, failure.error)
    # Some make their message of other arguments, which did not travel.
    return kind.__new__(kind, failure.message)


def _death(trial: Trial, code: int, printed: IO[bytes]) -> str:
    printed.seek(0)
    last = printed.read().decode(errors="replace").strip().splitlines()[-1:]
    return (
        f"The process that measured the {trial.backend} artifact ended with {code}"
        f"{': ' + last[0].rstrip('.') if last else ''}."
    )
