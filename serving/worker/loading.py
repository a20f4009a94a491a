"""A worker's start: load the variant, warm it up, and keep the split of its cores that was fastest."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from handlers.backends.base import Placement
from handlers.backends.catalogue import BACKENDS
from handlers.handler import Handler, load_handler
from model_store.manifest import Manifest
from serving import tuning
from serving.calibration.call_size import fastest_call_tokens
from serving.calibration.kept import Calibration, calibration_key, keep_calibration, kept_calibration
from serving.calibration.texts import Rows, mixed_call, typical_lengths
from serving.calibration.warm_up import warm_up, warm_up_again
from serving.cpu_plan import StreamSplit
from serving.wire.cost import NO_COST, Cost


@dataclass(frozen=True, slots=True)
class Loaded:
    """A variant, ready to answer."""

    handler: Handler
    split: StreamSplit
    cost: Cost = NO_COST
    call_tokens: int = 1


def load_fastest(
    folder: Path,
    manifest: Manifest,
    backend: str,
    splits: Sequence[StreamSplit],
    batch_tokens: int,
    cores: tuple[int, ...] = (),
) -> tuple[Loaded, dict[StreamSplit, float]]:
    """Load the variant with each split in turn; the one to keep, and tokens a second by split where there are several.

    Raises:
        ParetoServeError: see `load_handler`.
    """
    lengths: tuple[int, ...] = ()
    kept: tuple[StreamSplit, Handler] | None = None
    speeds: dict[StreamSplit, float] = {}
    for split in sorted(splits, reverse=True):  # from many streams to few
        handler = load_handler(folder, manifest, backend, _placement(backend, cores, split))
        if not handler.batches:
            # What the requests of a user's own model are is not known: each counts as one token.
            return Loaded(handler, split, call_tokens=handler.user.batch_size), {}
        lengths = lengths or typical_lengths(manifest)
        if len(splits) > 1:
            speeds[split] = max(_windows(handler, split.streams, batch_tokens, lengths))
        if kept is None:
            kept = split, handler
        elif tuning.CLEARLY_FASTER * speeds[split] >= max(speeds.values()):
            kept[1].close()
            kept = split, handler
        else:
            handler.close()
    assert kept is not None, "this is a bug: a plan has at least one split"
    return _warmed_up(*kept, batch_tokens, lengths), speeds


def load_as_kept(
    folder: Path,
    manifest: Manifest,
    backend: str,
    splits: Sequence[StreamSplit],
    batch_tokens: int,
    cores: tuple[int, ...] = (),
) -> tuple[Loaded, dict[StreamSplit, float]]:
    """As `load_fastest`, with what was measured when this variant was last loaded on this machine, if it was."""
    key = calibration_key(manifest, backend, splits, batch_tokens, cores)
    kept = kept_calibration(key) if key else None
    if kept and kept.split in splits:
        handler = load_handler(folder, manifest, backend, _placement(backend, cores, kept.split))
        if handler.batches and _version(handler) == kept.engine_version:
            warm_up_again(handler, batch_tokens, kept.split.streams)
            return Loaded(handler, kept.split, kept.cost, kept.call_tokens), {}
        handler.close()
    loaded, speeds = load_fastest(folder, manifest, backend, splits, batch_tokens, cores)
    if key and loaded.handler.batches:
        measured = loaded.split, loaded.cost, loaded.call_tokens
        keep_calibration(key, Calibration(*measured, _version(loaded.handler)))
    return loaded, speeds


def _version(handler: Handler) -> str:
    return handler.session_info.version if handler.session_info else ""


def _placement(backend: str, cores: tuple[int, ...], split: StreamSplit) -> Placement:
    device = BACKENDS[backend].device if backend in BACKENDS else "cpu"
    return Placement(device, cores, split.streams, split.threads_per_stream)


def shares_calls(handler: Handler) -> bool:
    """Whether texts of several requests may have a call of the engine together."""
    return handler.batches and (handler.session_info is None or handler.session_info.shares_calls)


def _warmed_up(split: StreamSplit, handler: Handler, batch_tokens: int, lengths: Sequence[int]) -> Loaded:
    cost = warm_up(handler, batch_tokens, split.streams)
    if not shares_calls(handler):
        # The front counts calls then, not tokens.
        usual = round(sum(lengths) / len(lengths))
        shape = handler.grid.shape(1, usual) if handler.grid else (1, usual)
        return Loaded(handler, split, Cost(base_s=cost.rows_seconds(*shape)))
    return Loaded(handler, split, cost, fastest_call_tokens(handler, cost, batch_tokens, lengths))


def _windows(handler: Handler, streams: int, batch_tokens: int, lengths: Sequence[int]) -> Iterator[float]:
    """Tokens a second, all streams busy, window by window.

    There are several, since others may have the cores meanwhile, and an engine may prepare itself in the first.
    """
    rows = mixed_call(handler, NO_COST, min(tuning.WINDOW_TOKENS, batch_tokens), lengths)
    tokens = sum(len(text) for row in rows for text in row)
    with ThreadPoolExecutor(streams) as pool:
        for _ in range(tuning.WINDOWS):
            all_there = threading.Barrier(streams)
            started = time.perf_counter()
            calls = sum(pool.map(lambda there: _calls_until(handler, rows, there), [all_there] * streams))
            yield calls * tokens / (time.perf_counter() - started)


def _calls_until(handler: Handler, rows: Rows, all_there: threading.Barrier) -> int:
    all_there.wait()
    calls, ends_at = 0, time.perf_counter() + tuning.WINDOW_S
    while time.perf_counter() < ends_at:
        handler.infer(rows)
        calls += 1
    return calls
