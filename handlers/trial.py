"""What an artifact answers: its logits for texts asked one at a time, as a single client would ask.

Run as `python -m handlers.trial` by the interpreter that will serve the artifact. It reads a `Trial` as JSON from
standard input and writes a line of JSON for each text, its logits, as soon as it has them; or an error and no more.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from handlers.backends.base import ArtifactFile, Placement
from handlers.backends.catalogue import open_session
from handlers.tasks.text_classification import TextClassifier
from handlers.tokens.tokenizer import TextTokenizer
from model_store.errors import ParetoServeError
from model_store.manifest import Layout


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact and the texts, or pairs, to ask it. `threads` are those of each call of the engine."""

    backend: str
    file: str
    precision: str
    layout: Layout
    tokenizer: str
    max_tokens: int
    labels: tuple[str, ...]
    threads: int
    texts: tuple[tuple[str, str | None], ...]


class Failure(msgspec.Struct, frozen=True, tag=True):
    """Why there are no more logits: an error of `model_store.errors` by its name, and its message."""

    error: str
    message: str


Line = list[float] | Failure
"""What is written for each text."""


def answers(trial: Trial) -> Iterator[list[float]]:
    """The logits of each text.

    Raises:
        BackendError: the engine cannot load the artifact, or failed on a text.
        StoreError: the tokenizer cannot be read.
    """
    artifact = ArtifactFile(Path(trial.file), trial.precision, trial.layout, trial.max_tokens)
    session = open_session(trial.backend, artifact, Placement(threads=trial.threads))
    # A graph of a fixed width cuts texts there, as it will when it is served.
    width = session.info.grid.width if session.info.grid else None
    tokenizer = TextTokenizer(Path(trial.tokenizer), min(trial.max_tokens, width or trial.max_tokens))
    model = TextClassifier(session, tokenizer, trial.labels)
    for text, text_pair in trial.texts:
        yield model.infer([[tokenizer(text, text_pair)]])[0].tolist()
    session.close()


def _write(lines: BinaryIO, line: Line) -> None:
    lines.write(msgspec.json.encode(line) + b"\n")
    lines.flush()


def main() -> None:
    # Engines print what they like to standard output; that goes to standard error, away from the answers.
    with open(os.dup(sys.stdout.fileno()), "wb") as lines:  # noqa: PTH123  a descriptor has no path
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        trial = msgspec.json.decode(sys.stdin.buffer.read(), type=Trial)
        try:
            for logits in answers(trial):
                _write(lines, logits)
        except ParetoServeError as exc:
            _write(lines, Failure(type(exc).__name__, str(exc)))


if __name__ == "__main__":
    main()
