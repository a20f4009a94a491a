"""One engine with one graph, asked again and again how fast it is: `PYTHON -m benchmarks.measures.sparse_engine`.

Run by the interpreter that has the engine. It reads a `Setup` and then queries from standard input, a line of
JSON each, and replies to each with a line of JSON.
"""

import itertools
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from benchmarks.harness.engine import Call, arrival_order
from handlers.backends.base import ArtifactFile, Placement, Session
from handlers.backends.catalogue import open_session
from handlers.tokens.packing import Tokens, pack

BUDGETS = (64, 128, 256)
"""Tokens of a packed call, of which the fastest is taken."""

FIXED_TOKENS, FIXED_TEXTS = 128, 16
TRIAL_S = 2.0

Workload = Literal["sentences", "fixed"]


class Setup(msgspec.Struct, frozen=True):
    """What to open, in as many streams of one thread, and the token ids of the sentences to ask about."""

    backend: str
    file: str
    streams: int
    sentences: tuple[tuple[int, ...], ...]


class Opened(msgspec.Struct, frozen=True):
    """What is really running, and the tokens of its fastest packed call."""

    engine: str
    instruction_set: str
    details: dict[str, str]
    call_tokens: int


class SpeedQuery(msgspec.Struct, frozen=True):
    """How fast is this workload, measured for so many seconds?"""

    workload: Workload
    seconds: float


def speed(session: Session, calls: Sequence[Call], streams: int, seconds: float) -> float:
    """Texts a second when each stream runs its share of `calls` over and over, for about so long."""
    batches = [(pack(rows, session.info.width_step), sum(map(len, rows))) for rows in calls]

    def run(stream: int) -> int:
        texts, share = 0, itertools.cycle(batches[stream::streams])
        while time.perf_counter() < ends_at:
            batch, count = next(share)
            session.run(batch)
            texts += count
        return texts

    with ThreadPoolExecutor(streams) as pool:
        started = time.perf_counter()
        ends_at = started + seconds
        texts = sum(pool.map(run, range(streams)))
        return texts / (time.perf_counter() - started)


def _prepare(session: Session, setup: Setup) -> tuple[int, dict[Workload, list[Call]]]:
    """The tokens of the fastest packed call, and the calls of each workload. Everything is run once on the way."""
    sentences = [_tokens(ids) for ids in setup.sentences]
    packed = {budget: list(arrival_order(sentences, budget)) for budget in BUDGETS}
    for calls in packed.values():
        _run_each_width(session, calls)
    best = max(BUDGETS, key=lambda budget: speed(session, packed[budget], setup.streams, TRIAL_S))
    row = [_tokens(np.resize(np.concatenate(setup.sentences), FIXED_TOKENS).tolist())]
    return best, {"sentences": packed[best], "fixed": [[row] * (FIXED_TEXTS // setup.streams)] * setup.streams}


def _tokens(ids: Sequence[int]) -> Tokens:
    return Tokens(np.array(ids, np.int64), np.zeros(len(ids), np.int64))


def _run_each_width(session: Session, calls: Sequence[Call]) -> None:
    batches = [pack(rows, session.info.width_step) for rows in calls]
    for batch in {batch.input_ids.shape: batch for batch in batches}.values():
        session.run(batch)


def main() -> None:
    # What an engine prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def reply(what: object) -> None:
        replies.write(msgspec.json.encode(what) + b"\n")
        replies.flush()

    lines = sys.stdin.buffer
    setup = msgspec.json.decode(lines.readline(), type=Setup)
    session = open_session(setup.backend, ArtifactFile(Path(setup.file)), Placement(streams=setup.streams))
    best, calls = _prepare(session, setup)
    info = session.info
    reply(Opened(f"{info.engine} {info.version}", info.instruction_set, dict(info.details), best))
    for line in lines:
        asked = msgspec.json.decode(line, type=SpeedQuery)
        reply(speed(session, calls[asked.workload], setup.streams, asked.seconds))


if __name__ == "__main__":
    main()
