"""The engine by itself: no server, no queue, one thread, the same sentences. What a server can reach at the most."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import msgspec

from benchmarks.harness.places import ROOT
from handlers.backends.base import Placement
from handlers.handler import Handler, load_handler
from handlers.inferred import manifest_of
from handlers.tokens.packing import Tokens

Row = list[Tokens]
Call = list[Row]

BUDGETS = (64, 96, 128, 256)
"""Tokens of a call, of which the fastest counts."""

TEXTS_PER_CALL = 16
"""Texts of similar length in a call, for the best order."""

WARM_UP_TEXTS = 100

ALONE = "alone"
"""The argument of a process that measures text by text, whenever it is asked."""


class Limits(msgspec.Struct, frozen=True):
    """Sentences a second by the way they are laid out."""

    one_by_one: float
    packed: dict[int, float]
    best_order: float

    @property
    def packed_in_arrival_order(self) -> float:
        return max(self.packed.values())


class _Task(msgspec.Struct, frozen=True):
    variant: str
    backend: str
    texts: tuple[str, ...]
    threads: int

    def load(self) -> tuple[Handler, list[Tokens]]:
        variant = Path(self.variant)
        handler = load_handler(variant, manifest_of(variant), self.backend, Placement(threads=self.threads))
        return handler, [handler.tokenizer(text) for text in self.texts]


def engine_limits(variant: Path, backend: str, texts: Sequence[str], cores: Sequence[int]) -> Limits:
    """Measured in a process of its own on these cores, a thread for each."""
    task = _Task(str(variant), backend, tuple(texts), len(cores))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.harness.engine"],
        cwd=ROOT,
        input=msgspec.json.encode(task),
        stdout=subprocess.PIPE,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return msgspec.json.decode(done.stdout, type=Limits)


@contextmanager
def engine_alone(
    variant: Path, backend: str, texts: Sequence[str], cores: Sequence[int]
) -> Iterator[Callable[[range], list[float]]]:
    """Yields a function that measures how many seconds each of a range of the texts takes alone.

    The engine stays loaded in a process of its own on these cores, and does nothing between calls.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.harness.engine", ALONE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    assert process.stdin is not None
    assert process.stdout is not None, "this is a bug: both are pipes"
    asks, answers = process.stdin, process.stdout

    def send(message: object) -> None:
        asks.write(msgspec.json.encode(message) + b"\n")
        asks.flush()

    def measure(places: range) -> list[float]:
        send((places.start, places.stop))
        return msgspec.json.decode(answers.readline(), type=list[float])

    try:
        send(_Task(str(variant), backend, tuple(texts), len(cores)))
        yield measure
    finally:
        asks.close()
        process.wait()


def _serve_alone() -> None:
    """The other end: a line with the task, then one for each range of its texts."""
    handler, tokens = msgspec.json.decode(sys.stdin.buffer.readline(), type=_Task).load()
    _alone(handler, tokens[:WARM_UP_TEXTS])
    for line in sys.stdin.buffer:
        start, stop = msgspec.json.decode(line, type=tuple[int, int])
        sys.stdout.buffer.write(msgspec.json.encode(_alone(handler, tokens[start:stop])) + b"\n")
        sys.stdout.buffer.flush()


def _measure(task: _Task) -> Limits:
    handler, tokens = task.load()
    # Twice: engines that prepare themselves for each shape do so the first time.
    alone_s = [_alone(handler, tokens) for _ in range(2)][-1]
    packed = {budget: _speed(handler, list(arrival_order(tokens, budget)), len(tokens)) for budget in BUDGETS}
    return Limits(
        one_by_one=len(tokens) / sum(alone_s),
        packed=packed,
        best_order=max(*packed.values(), _speed(handler, list(by_length(tokens, TEXTS_PER_CALL)), len(tokens))),
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
    """A row each, in calls of texts of similar length, which takes knowing all requests beforehand."""
    ordered = sorted(tokens, key=len)
    for start in range(0, len(ordered), count):
        yield [[text] for text in ordered[start : start + count]]


if __name__ == "__main__" and sys.argv[1:] == [ALONE]:
    _serve_alone()
elif __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_measure(msgspec.json.decode(sys.stdin.buffer.read(), type=_Task))))
