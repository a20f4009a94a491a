"""A worker's start: load the variant, warm it up, and keep the split of its cores that was fastest."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from handlers.backends.base import Threads
from handlers.handler import Handler, load_handler
from model_store.manifest import Manifest
from serving.call_size import fastest_call_tokens, mixed_call
from serving.cost import NO_COST, Cost
from serving.cpu_plan import Split
from serving.warm_up import Rows, warm_up

# Each split is measured this often for so long; the fastest counts, since others may have had the cores meanwhile.
WINDOWS, WINDOW_S = 3, 0.2

# With as good as the same speed, fewer streams of more threads answer a lone request sooner.
CLEARLY_FASTER = 1.05


@dataclass(frozen=True, slots=True)
class Loaded:
    """A variant, ready to answer. `tokens_per_s` is what was measured, of the splits that were."""

    handler: Handler
    split: Split
    cost: Cost = NO_COST
    call_tokens: int = 1
    tokens_per_s: float = 0.0


def load_fastest(
    folder: Path, manifest: Manifest, backend: str, splits: Sequence[Split], batch_tokens: int
) -> tuple[Loaded, dict[Split, float]]:
    """Load the variant with each split in turn; the one to keep, and tokens a second by split where there are several.

    Raises:
        ParetoServeError: see `load_handler`.
    """
    best: Loaded | None = None
    speeds: dict[Split, float] = {}
    for split in sorted(splits, reverse=True):  # from many streams to few
        handler = load_handler(folder, manifest, backend, Threads(*split))
        if not handler.batches:
            # The user's own model is asked one request at a time, and what its requests are is not known.
            return Loaded(handler, split), {}
        loaded = _warmed_up(handler, split, batch_tokens, measure=len(splits) > 1)
        speeds[split] = loaded.tokens_per_s
        if best is None or CLEARLY_FASTER * loaded.tokens_per_s >= max(speeds.values()):
            best, loaded = loaded, best or loaded
        if loaded is not best:
            loaded.handler.close()
    assert best is not None, "this is a bug: a plan has at least one split"
    return best, speeds if len(splits) > 1 else {}


def _warmed_up(handler: Handler, split: Split, batch_tokens: int, measure: bool) -> Loaded:
    cost = warm_up(handler, batch_tokens, split.streams)
    call_tokens = fastest_call_tokens(handler, cost, batch_tokens)
    speed = max(_windows(handler, split.streams, mixed_call(handler, cost, call_tokens))) if measure else 0.0
    return Loaded(handler, split, cost, call_tokens, speed)


def _windows(handler: Handler, streams: int, rows: Rows) -> Iterator[float]:
    """Tokens a second, all streams busy, window by window."""
    tokens = sum(len(text) for row in rows for text in row)
    with ThreadPoolExecutor(streams) as pool:
        for _ in range(WINDOWS):
            all_there = threading.Barrier(streams)
            started = time.perf_counter()
            calls = sum(pool.map(lambda there: _calls_until(handler, rows, there), [all_there] * streams))
            yield calls * tokens / (time.perf_counter() - started)


def _calls_until(handler: Handler, rows: Rows, all_there: threading.Barrier) -> int:
    all_there.wait()
    calls, ends_at = 0, time.perf_counter() + WINDOW_S
    while time.perf_counter() < ends_at:
        handler.infer(rows)
        calls += 1
    return calls
