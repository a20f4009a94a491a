"""A worker's start: load the variant, warm it up, and keep the split of its cores that was fastest."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from handlers.backends.base import Placement
from handlers.handler import Handler, load_handler
from model_store.manifest import Manifest
from serving.calibration.call_size import fastest_call_tokens, mixed_call
from serving.calibration.warm_up import Rows, warm_up
from serving.cpu_plan import Split
from serving.wire.cost import NO_COST, Cost

# Each split is measured this often for so long, with calls of so many tokens; the fastest counts, since others may have
# had the cores meanwhile, and an engine may prepare itself in the first.
WINDOWS, WINDOW_S, WINDOW_TOKENS = 2, 0.1, 128

# Of the one text that a call is taken to have where requests share none, until calls of requests were seen.
USUAL_TOKENS = 24

# With as good as the same speed, fewer streams of more threads answer a lone request sooner.
CLEARLY_FASTER = 1.05


@dataclass(frozen=True, slots=True)
class Loaded:
    """A variant, ready to answer."""

    handler: Handler
    split: Split
    cost: Cost = NO_COST
    call_tokens: int = 1


def load_fastest(
    folder: Path, manifest: Manifest, backend: str, splits: Sequence[Split], batch_tokens: int
) -> tuple[Loaded, dict[Split, float]]:
    """Load the variant with each split in turn; the one to keep, and tokens a second by split where there are several.

    Raises:
        ParetoServeError: see `load_handler`.
    """
    kept: tuple[Split, Handler] | None = None
    speeds: dict[Split, float] = {}
    for split in sorted(splits, reverse=True):  # from many streams to few
        handler = load_handler(
            folder,
            manifest,
            backend,
            Placement(streams=split.streams, threads=split.threads_per_stream),
            verify=kept is None,
        )
        if not handler.batches:
            # The user's own model is asked one request at a time, and what its requests are is not known.
            return Loaded(handler, split), {}
        if len(splits) > 1:
            speeds[split] = max(_windows(handler, split.streams, batch_tokens))
        if kept is None:
            kept = split, handler
        elif CLEARLY_FASTER * speeds[split] >= max(speeds.values()):
            kept[1].close()
            kept = split, handler
        else:
            handler.close()
    assert kept is not None, "this is a bug: a plan has at least one split"
    return _warmed_up(*kept, batch_tokens), speeds


def shares_calls(handler: Handler) -> bool:
    """Whether texts of several requests may have a call of the engine together."""
    return handler.batches and (handler.session_info is None or handler.session_info.shares_calls)


def _warmed_up(split: Split, handler: Handler, batch_tokens: int) -> Loaded:
    cost = warm_up(handler, batch_tokens, split.streams)
    if not shares_calls(handler):
        # The front counts calls then, not tokens.
        usual = handler.grid.shape(1, USUAL_TOKENS) if handler.grid else (1, USUAL_TOKENS)
        return Loaded(handler, split, Cost(base_s=cost.rows_seconds(*usual)))
    return Loaded(handler, split, cost, fastest_call_tokens(handler, cost, batch_tokens))


def _windows(handler: Handler, streams: int, batch_tokens: int) -> Iterator[float]:
    """Tokens a second, all streams busy, window by window."""
    rows = mixed_call(handler, NO_COST, min(WINDOW_TOKENS, batch_tokens))
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
