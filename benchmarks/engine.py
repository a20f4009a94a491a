"""The engine by itself: no server, no queue, one thread, the same sentences. What a server can reach at the most."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from benchmarks.places import ROOT
from handlers.backends.base import Threads
from handlers.handler import Handler, load_handler
from handlers.packing import Tokens
from model_store.store import manifest_of

Row = list[Tokens]
Call = list[Row]

BUDGETS = (64, 96, 128, 256)
"""Tokens of a call, of which the fastest counts."""

COMPANY = 16
"""Texts of about one length in a call, for the best order."""


class Limits(msgspec.Struct, frozen=True):
    """Sentences a second by the way they are laid out, and what each of them takes alone."""

    one_by_one: float
    packed: dict[int, float]
    best_order: float
    alone_s: list[float]

    @property
    def packed_in_arrival_order(self) -> float:
        return max(self.packed.values())


class _Task(msgspec.Struct, frozen=True):
    variant: str
    backend: str
    texts: tuple[str, ...]
    threads: int


def engine_limits(variant: Path, backend: str, texts: Sequence[str], cores: Sequence[int]) -> Limits:
    """Measured in a process of its own on these cores, a thread for each."""
    task = _Task(str(variant), backend, tuple(texts), len(cores))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.engine"],
        cwd=ROOT,
        input=msgspec.json.encode(task),
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return msgspec.json.decode(done.stdout, type=Limits)


def _measure(task: _Task) -> Limits:
    variant = Path(task.variant)
    handler = load_handler(variant, manifest_of(variant), task.backend, Threads(1, task.threads))
    tokens = [handler.model.tokenizer(text) for text in task.texts]
    # Twice: engines that prepare themselves for each shape do so the first time.
    alone_s = [_alone(handler, tokens) for _ in range(2)][-1]
    packed = {budget: _speed(handler, list(arrival_order(tokens, budget)), len(tokens)) for budget in BUDGETS}
    return Limits(
        one_by_one=len(tokens) / sum(alone_s),
        packed=packed,
        best_order=max(*packed.values(), _speed(handler, list(by_length(tokens, COMPANY)), len(tokens))),
        alone_s=alone_s,
    )


def _alone(handler: Handler, tokens: Sequence[Tokens]) -> list[float]:
    times = [time.perf_counter()]
    for text in tokens:
        handler.infer([[text]])
        times.append(time.perf_counter())
    return [after - before for before, after in pairwise(times)]


def _speed(handler: Handler, calls: Sequence[Call], count: int) -> float:
    return count / [_seconds(handler, calls) for _ in range(2)][-1]


def _seconds(handler: Handler, calls: Sequence[Call]) -> float:
    started = time.perf_counter()
    for rows in calls:
        handler.infer(rows)
    return time.perf_counter() - started


def arrival_order(tokens: Sequence[Tokens], budget: int) -> Iterator[Call]:
    """One packed row a call, filled in the order of arrival."""
    row: Row = []
    for text in tokens:
        if row and sum(map(len, row)) + len(text) > budget:
            yield [row]
            row = []
        row.append(text)
    yield [row]


def by_length(tokens: Sequence[Tokens], count: int) -> Iterator[Call]:
    """A row each, in calls of texts of about one length: only who knows all requests beforehand can do that."""
    ordered = sorted(tokens, key=len)
    for start in range(0, len(ordered), count):
        yield [[text] for text in ordered[start : start + count]]


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measure(msgspec.json.decode(sys.stdin.buffer.read(), type=_Task))))
