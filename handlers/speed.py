"""How fast an artifact is: tokens a second of calls with texts of mixed lengths, with all cores at work.

Run as `python -m handlers.speed` by the interpreter that will serve the artifact. It reads a `SpeedTrial` as JSON from
standard input and writes one line of JSON: what it measured, or an error.
"""

import itertools
import os
import random
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from handlers.backends.base import ArtifactFile, Batch, Placement, Session
from handlers.backends.catalogue import open_session
from handlers.tokens.packing import Tokens, pack
from handlers.tokens.padding import pad
from handlers.tokens.tokenizer import TextTokenizer
from handlers.trial import Failure
from model_store.errors import ParetoServeError
from model_store.manifest import Layout

# A call has texts of about so many tokens together, as those of a busy server; there are so many different ones.
CALL_TOKENS, CALLS = 128, 4

# The fastest of so many windows counts: others may have had the cores meanwhile.
WINDOWS, WINDOW_S = 3, 0.2


class SpeedTrial(msgspec.Struct, frozen=True, kw_only=True):
    """An artifact, and the lengths of texts in tokens to measure it with. `cores` is how many calls run at once."""

    backend: str
    file: str
    precision: str
    layout: Layout
    tokenizer: str
    max_tokens: int
    cores: int
    lengths: tuple[int, ...]


class Measured(msgspec.Struct, frozen=True, tag=True):
    """What was found, and what a call executes, as `handlers.backends.base.SessionInfo` counts it."""

    tokens_per_s: float
    operators: dict[str, int] = {}
    integer_operators: dict[str, int] = {}


Outcome = Measured | Failure
"""What is written."""


def measure(trial: SpeedTrial) -> Measured:
    """The tokens a second, padding not counted.

    Raises:
        BackendError: the engine cannot load the artifact, or failed on a call.
        StoreError: the tokenizer cannot be read.
    """
    artifact = ArtifactFile(Path(trial.file), trial.precision, trial.layout, trial.max_tokens)
    session = open_session(trial.backend, artifact, Placement(streams=trial.cores, threads=1))
    # Rows of a fixed width hold no longer texts.
    width = session.info.grid.width if session.info.grid else None
    tokenizer = TextTokenizer(Path(trial.tokenizer), min(trial.max_tokens, width or trial.max_tokens))
    calls = [_call(session, texts, tokenizer) for texts in mixed_calls(tokenizer, trial.lengths)]
    with ThreadPoolExecutor(trial.cores) as streams:
        list(streams.map(lambda _: [_run(session, call) for call in calls], range(trial.cores)))  # prepares each stream
        found = max(_window(session, calls, streams, trial.cores) for _ in range(WINDOWS))
    info = session.info
    session.close()
    return Measured(found, dict(info.operators), dict(info.integer_operators))


def mixed_calls(tokenizer: TextTokenizer, lengths: Sequence[int]) -> list[list[Tokens]]:
    """Texts for `CALLS` calls of about `CALL_TOKENS` tokens each, of these lengths in a mixed order."""
    words = tokenizer("a few words to measure with")
    mixed = _mixed([min(length, tokenizer.max_tokens) for length in lengths])
    return [_fill(words, mixed) for _ in range(CALLS)]


def _mixed(lengths: list[int]) -> Iterator[int]:
    """All of them in some order, again and again in another; the same each time that it is asked for."""
    dice = random.Random(0)  # noqa: S311  nothing is kept secret by it
    while True:
        yield from dice.sample(lengths, len(lengths))


def _fill(words: Tokens, lengths: Iterator[int]) -> list[Tokens]:
    """Texts of the next lengths until the call is full; the last one is cut, for packed rows are alike then."""
    texts: list[Tokens] = []
    room = CALL_TOKENS
    while room > 0:
        length = min(next(lengths), room) if texts else next(lengths)
        texts.append(Tokens(np.resize(words.input_ids, length), np.resize(words.token_type_ids, length)))
        room -= length
    return texts


@dataclass(frozen=True, slots=True)
class _Call:
    """The same texts, laid out as an engine takes them: several batches where a graph fixes its number of rows."""

    batches: list[Batch]
    tokens: int


def _call(session: Session, texts: Sequence[Tokens], tokenizer: TextTokenizer) -> _Call:
    tokens, grid = sum(map(len, texts)), session.info.grid
    if grid is None:
        return _Call([pack([texts], session.info.width_step)], tokens)
    rows, width = replace(grid, widest=tokenizer.max_tokens).shape(len(texts), max(map(len, texts)))
    parts = [texts[start : start + rows] for start in range(0, len(texts), rows)]
    return _Call([pad(part, (rows, width), tokenizer.pad_id) for part in parts], tokens)


def _run(session: Session, call: _Call) -> int:
    for batch in call.batches:
        session.run(batch)
    return call.tokens


def _window(session: Session, calls: Sequence[_Call], streams: ThreadPoolExecutor, count: int) -> float:
    """Tokens a second, all streams at once."""
    together = threading.Barrier(count)

    def until_the_end(first: int) -> int:
        together.wait()
        tokens, ends_at = 0, time.perf_counter() + WINDOW_S
        for number in itertools.count(first):
            if time.perf_counter() >= ends_at:
                break
            tokens += _run(session, calls[number % len(calls)])
        return tokens

    started = time.perf_counter()
    tokens = sum(streams.map(until_the_end, range(count)))
    return tokens / (time.perf_counter() - started)


def main() -> None:
    # Engines print what they like to standard output; that goes to standard error, away from the outcome.
    with open(os.dup(sys.stdout.fileno()), "wb") as line:  # noqa: PTH123  a descriptor has no path
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        trial = msgspec.json.decode(sys.stdin.buffer.read(), type=SpeedTrial)
        outcome: Outcome
        try:
            outcome = measure(trial)
        except ParetoServeError as exc:
            outcome = Failure(type(exc).__name__, str(exc))
        line.write(msgspec.json.encode(outcome) + b"\n")


if __name__ == "__main__":
    main()
