"""A variant's engine by itself, asked again and again how fast it is: `PYTHON -m benchmarks.harness.variant_engine`.

Run by the interpreter that has the engine. It is asked (`benchmarks.harness.asked`) with a `Task` and then with numbers
of seconds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.harness.asked import asked, reply_to_all
from benchmarks.harness.engine import Call, arrival_order
from benchmarks.harness.streams import Counted, texts_per_s
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
        counted = [Counted(rows, sum(map(len, rows))) for rows in self.calls]
        return texts_per_s(self.handler.infer, counted, self.placement.streams, seconds)


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
    with asked(interpreter, "benchmarks.harness.variant_engine") as engine:
        yield engine.ask(task, Opened), lambda seconds: engine.ask(seconds, float)


def _opened(line: bytes) -> tuple[Opened, Callable[[bytes], float]]:
    way = _fastest(msgspec.json.decode(line, type=Task))
    info = way.handler.session_info
    assert info is not None, "this is a bug: a variant with an artifact has an engine"
    placed = (way.placement.streams, way.placement.threads)
    engine = f"{info.engine} {info.version}"
    opened = Opened(engine, info.instruction_set, info.executed_precision, *placed, way.call_tokens)
    return opened, lambda seconds: way.texts_per_s(msgspec.json.decode(seconds, type=float))


if __name__ == "__main__":
    reply_to_all(_opened)
