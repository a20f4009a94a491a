"""Before the first request: meet the shapes that the engine prepares itself for, and measure what calls cost."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from handlers.handler import Handler
from handlers.tokens.packing import Tokens
from handlers.tokens.padding import Grid
from serving.calibration.cost_fit import fit_cost
from serving.wire.cost import Cost

# Calls of all shapes are measured in turn, round by round, so that nobody else's work on the core meets one shape only;
# the fastest of each counts. A large model is measured for about so long, in one round at the least.
ROUNDS = 1, 8
MEASURE_S = 0.4

# Widths of padded rows to measure, besides that of the longest text.
PADDED_WIDTHS = (8, 32, 128)

Rows = list[list[Tokens]]
Shape = tuple[int, int]
"""(rows, width)"""


def warm_up(handler: Handler, batch_tokens: int, streams: int) -> Cost:
    """Run calls of all shapes, so that no request pays for the engine's first calls, and measure what they cost."""
    # Not through `prepare`: the user's own input_fn may read another format.
    words = handler.tokenizer("a few words to warm up with")
    longest, grid = handler.manifest.max_tokens, handler.grid
    if grid:
        met = [padded_rows(words, *shape) for shape in padded_shapes_to_meet(grid, longest, batch_tokens)]
        shapes = padded_shapes_to_measure(grid, longest, batch_tokens)
        measured = {shape: padded_rows(words, *shape) for shape in shapes}
    else:
        met = packed_rows_to_meet(words, handler.width_step, longest, batch_tokens)
        shapes = packed_shapes_to_measure(handler.width_step, batch_tokens)
        measured = {shape: packed_rows(words, *shape, min(32, longest)) for shape in shapes}
    with ThreadPoolExecutor(streams) as pool:  # each stream prepares for itself
        list(pool.map(lambda _: [handler.infer(rows) for rows in met], range(streams)))
    return fit_cost([(*shape, seconds) for shape, seconds in _fastest_s(handler, measured).items()])


def packed_rows_to_meet(words: Tokens, width_step: int, longest: int, batch_tokens: int) -> list[Rows]:
    """For an engine with a step: every width of a row, and every number of texts that is a power of two."""
    if width_step == 1:
        return []
    widths = range(width_step, max(batch_tokens, longest) + 1, width_step)
    counts = [1 << n for n in range((batch_tokens // 4).bit_length())]
    return [packed_rows(words, 1, width, longest) for width in widths] + [[[resized(words, 4)] * n] for n in counts]


def packed_shapes_to_measure(width_step: int, batch_tokens: int) -> list[Shape]:
    """From a short text to a full call, in one row and, where that is done, in several."""
    sizes = [tokens for tokens in (32, 64, 128, 256, 512) if tokens < batch_tokens] + [batch_tokens]
    several = [(tokens // width, width) for tokens in sizes for width in (32, 64, 128) if width < tokens]
    return [(1, tokens) for tokens in sizes] + (several if width_step == 1 else [])


def packed_rows(words: Tokens, rows: int, width: int, longest: int) -> Rows:
    """Rows filled with texts of up to `longest` tokens."""
    return [[resized(words, min(longest, width - start)) for start in range(0, width, longest)]] * rows


def padded_shapes_to_meet(grid: Grid, longest: int, batch_tokens: int) -> list[Shape]:
    """For an engine with a step: every shape that calls can have."""
    if grid.width_step == 1:
        return []
    return _padded_shapes(grid, range(grid.width_step, longest + grid.width_step, grid.width_step), batch_tokens)


def padded_shapes_to_measure(grid: Grid, longest: int, batch_tokens: int) -> list[Shape]:
    """From a short text to the longest and to a full call of either."""
    return _padded_shapes(grid, (*(width for width in PADDED_WIDTHS if width < longest), longest), batch_tokens)


def _padded_shapes(grid: Grid, widths: Iterable[int], batch_tokens: int) -> list[Shape]:
    """What one text of these widths is filled up to, and two, four, eight … as far as a call goes."""
    calls = [(1 << n, width) for width in widths for n in range(batch_tokens.bit_length())]
    possible = [call for call in calls if call[0] == 1 or grid.tokens(*call) <= batch_tokens]
    return list(dict.fromkeys(grid.shape(*call) for call in possible))


def padded_rows(words: Tokens, rows: int, width: int) -> Rows:
    return [[resized(words, width)]] * rows


def resized(text: Tokens, tokens: int) -> Tokens:
    """The text cut or repeated to that many tokens."""
    return Tokens(np.resize(text.input_ids, tokens), np.resize(text.token_type_ids, tokens))


def _fastest_s(handler: Handler, calls: Mapping[Shape, Rows]) -> dict[Shape, float]:
    least, most = ROUNDS
    rounds: list[list[float]] = []
    started = time.perf_counter()
    while len(rounds) < least or (len(rounds) < most and time.perf_counter() - started < MEASURE_S):
        rounds.append([_timed_s(handler, rows) for rows in calls.values()])
    return dict(zip(calls, map(min, zip(*rounds, strict=True)), strict=True))


def _timed_s(handler: Handler, rows: Rows) -> float:
    started = time.perf_counter()
    handler.infer(rows)
    return time.perf_counter() - started
