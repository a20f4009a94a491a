"""A variant's engine by itself, asked again and again how fast it is: `PYTHON -m benchmarks.harness.variant_engine`.

Run by the interpreter that has the engine. It reads a `Task` and then numbers of seconds from standard input, a line
of JSON each, and replies to each with a line of JSON.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.harness.engine import Call, arrival_order
from benchmarks.harness.places import ROOT
from handlers.backends.base import Placement
from handlers.handler import Handler, load_handler
from handlers.inferred import manifest_of

BUDGETS = (64, 128, 256, 512)
"""Tokens of a packed call, of which the fastest counts."""

TRIAL_S = 1.0


class Task(msgspec.Struct, frozen=True):
    """What to open, on how many cores, and what to ask it."""

    variant: str
    backend: str
    texts: tuple[str, ...]
    cores: int


class Opened(msgspec.Struct, frozen=True):
    """What is really running, and what was found fastest: streams of some threads, and the tokens of a call, None where
    texts are asked one by one."""

    engine: str
    instruction_set: str
    precision: str
    streams: int
    threads: int
    call_tokens: int | None


class _Way(msgspec.Struct, frozen=True):
    """One way to ask: an engine, and calls for it."""

    handler: Handler
    placement: Placement
    call_tokens: int | None
    calls: list[Call]

    def texts_per_s(self, seconds: float) -> float:
        """When each stream runs its share of the calls over and over, for about so long."""
        streams = self.placement.streams

        def run(stream: int) -> int:
            texts, share = 0, itertools.cycle(self.calls[stream::streams])
            while time.perf_counter() < ends_at:
                rows = next(share)
                self.handler.infer(rows)
                texts += sum(map(len, rows))
            return texts

        with ThreadPoolExecutor(streams) as pool:
            started = time.perf_counter()
            ends_at = started + seconds
            return sum(pool.map(run, range(streams))) / (time.perf_counter() - started)


def _ways(task: Task) -> Iterator[_Way]:
    """A stream for each core, and one stream of all of them; packed rows of several sizes, where rows are packed."""
    variant = Path(task.variant)
    manifest = manifest_of(variant)
    placements = {Placement(streams=task.cores, threads=1), Placement(streams=1, threads=task.cores)}
    for placement in sorted(placements, key=lambda one: one.streams):
        handler = load_handler(variant, manifest, task.backend, placement)
        tokens = [handler.tokenizer(text) for text in task.texts]
        budgets: tuple[int | None, ...] = (None,) if handler.grid else BUDGETS
        for budget in budgets:
            calls = list(arrival_order(tokens, budget)) if budget else [[[text]] for text in tokens]
            yield _Way(handler, placement, budget, calls)


def _fastest(task: Task) -> _Way:
    """Everything is run once on the way, since engines prepare themselves for shapes that they meet."""
    tried: list[tuple[float, _Way]] = []
    for way in _ways(task):
        for rows in {sum(map(len, call[0])): call for call in way.calls}.values():
            way.handler.infer(rows)
        tried.append((way.texts_per_s(TRIAL_S), way))
    return max(tried, key=lambda one: one[0])[1]


@contextmanager
def variant_engine(interpreter: str, task: Task) -> Iterator[tuple[Opened, Callable[[float], float]]]:
    """What is running, and a function that says how many texts a second it does, measured for so many seconds."""
    command = [interpreter, "-m", "benchmarks.harness.variant_engine"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    asks, answers = process.stdin, process.stdout
    assert asks is not None
    assert answers is not None, "this is a bug: both are pipes"

    def ask(message: object) -> bytes:
        asks.write(msgspec.json.encode(message) + b"\n")
        asks.flush()
        return answers.readline()

    try:
        yield (
            msgspec.json.decode(ask(task), type=Opened),
            lambda seconds: msgspec.json.decode(ask(seconds), type=float),
        )
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    # What an engine prints must not come between the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def reply(what: object) -> None:
        replies.write(msgspec.json.encode(what) + b"\n")
        replies.flush()

    way = _fastest(msgspec.json.decode(sys.stdin.buffer.readline(), type=Task))
    info = way.handler.session_info
    assert info is not None, "this is a bug: a variant with an artifact has an engine"
    engine = f"{info.engine} {info.version}"
    placed = (way.placement.streams, way.placement.threads)
    reply(Opened(engine, info.instruction_set, info.executed_precision, *placed, way.call_tokens))
    for line in sys.stdin.buffer:
        reply(way.texts_per_s(msgspec.json.decode(line, type=float)))


if __name__ == "__main__":
    main()
