"""Sub-networks asked for their answers: in this process, or in several that each read the super-network once."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

import torch

from model_store.errors import RecipeError
from networks.checkpoint import load_checkpoint
from networks.encoder.prefix import SubNetwork, shared_prefix
from recipes.training.device import training_device
from recipes.training.evaluation import Evaluation

Errors = Callable[[Sequence[SubNetwork]], Iterable[float]]
"""The share of rows that each sub-network gets wrong, in their order."""


@dataclass(frozen=True, slots=True)
class Judge:
    """What tells the share of `rows` that a sub-network of the super-network in `checkpoint` gets wrong."""

    checkpoint: Path
    rows: Evaluation

    def opened(self) -> Callable[[SubNetwork], float]:
        """With the super-network in memory; a sub-network that was asked before is not asked again."""
        encoder = load_checkpoint(self.checkpoint).to(training_device())
        known: dict[SubNetwork, float] = {}

        def error(kept: SubNetwork) -> float:
            if kept not in known:
                known[kept] = 1 - self.rows.accuracy(shared_prefix(encoder, kept))
            return known[kept]

        return error


@contextmanager
def judged(judge: Judge, jobs: int) -> Iterator[Errors]:
    """The errors of sub-networks, from so many processes at once."""
    if jobs == 1:
        yield _lazily(judge.opened())
        return
    with ExitStack() as running:
        idle: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(jobs):
            idle.put(running.enter_context(_process(judge, jobs)))

        def ask(kept: SubNetwork) -> float:
            connection = idle.get()
            try:
                connection.send(kept)
                error: float = connection.recv()
            except (EOFError, BrokenPipeError) as exc:
                raise RecipeError(
                    "A process that evaluates sub-networks ended; give fewer --jobs if memory is short, and run the "
                    "command again: it goes on where it was."
                ) from exc
            finally:
                idle.put(connection)
            return error

        pool = ThreadPoolExecutor(jobs)
        running.callback(pool.shutdown, cancel_futures=True)
        yield lambda asked: pool.map(ask, asked)


def _lazily(error: Callable[[SubNetwork], float]) -> Errors:
    return lambda asked: map(error, asked)


@contextmanager
def _process(judge: Judge, jobs: int) -> Iterator[Connection]:
    """A process that answers; it ends with this block, and with this process however that ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(theirs, judge, jobs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join()


def _answer(connection: Connection, judge: Judge, jobs: int) -> None:
    # Ctrl-C reaches this process too, which ends when the other does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // jobs))
    error = judge.opened()
    while True:
        try:
            connection.send(error(connection.recv()))
        except (EOFError, BrokenPipeError):
            return
