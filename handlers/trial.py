"""What an artifact gives for texts that are asked one at a time, as a single client would ask.

Run as `python -m handlers.trial` by the interpreter that will serve the artifact. It reads a `Trial` as JSON from
standard input and writes a line of JSON for each text, an `Outcome`, as soon as it has it; or a `Failure` and no more.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from handlers.backends.base import ArtifactFile, Placement
from handlers.loading import Parts, load_pipeline
from handlers.pipeline import Pipeline
from handlers.tasks.catalogue import open_task
from model_store.errors import BadInput, DataError, ParetoServeError
from model_store.manifest import Layout
from model_store.rows import Row


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact and the texts, or pairs, to ask it. `threads` are those of each call of the engine."""

    backend: str
    file: str
    precision: str
    layout: Layout
    tokenizer: str
    max_tokens: int
    task: str
    task_settings: dict[str, Any]
    threads: int
    texts: tuple[tuple[str, str | None], ...]


class Outcome(msgspec.Struct, frozen=True, tag=True):
    """Of one text: the network's numbers, those of all its windows end to end, and the task's answer."""

    logits: list[float]
    answer: Any


class Failure(msgspec.Struct, frozen=True, tag=True):
    """Why there is no more: an error of `model_store.errors` by its name, and its message."""

    error: str
    message: str


Line = Outcome | Failure
"""What is written for each text."""


def run_trial(trial: Trial) -> Iterator[Outcome]:
    """Ask each text in turn.

    Raises:
        BackendError: the engine cannot load the artifact, or failed on a text.
        StoreError: the tokenizer or the task cannot be read.
        DataError: a text cannot be asked.
    """
    artifact = ArtifactFile(Path(trial.file), trial.precision, trial.layout, trial.max_tokens)
    parts = Parts(artifact, Path(trial.tokenizer), open_task(trial.task, trial.task_settings))
    pipeline = load_pipeline(parts, trial.backend, Placement(threads=trial.threads))
    for text in trial.texts:
        yield _ask(pipeline, Row(*text, None))
    pipeline.session.close()


def _ask(pipeline: Pipeline, row: Row) -> Outcome:
    try:
        return Outcome(*pipeline.ask(row))
    except BadInput as exc:
        raise DataError(f"Text {row.text!r} of the data cannot be asked. {exc}") from exc


def _write(lines: BinaryIO, line: Line) -> None:
    lines.write(msgspec.json.encode(line) + b"\n")
    lines.flush()


def main() -> None:
    # Engines print what they like to standard output; that goes to standard error, away from the outcomes.
    with open(os.dup(sys.stdout.fileno()), "wb") as lines:  # noqa: PTH123  a descriptor has no path
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        trial = msgspec.json.decode(sys.stdin.buffer.read(), type=Trial)
        try:
            for outcome in run_trial(trial):
                _write(lines, outcome)
        except ParetoServeError as exc:
            _write(lines, Failure(type(exc).__name__, str(exc)))


if __name__ == "__main__":
    main()
