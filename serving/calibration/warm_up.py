"""Before the first request: run the shapes that the engine prepares itself for, and measure what calls cost."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from handlers.handler import Handler
from handlers.tokens.packing import Tokens
from handlers.tokens.padding import Grid
from serving import tuning
from serving.calibration.cost_fit import fit_cost
from serving.calibration.rounds import in_rounds, timed_s
from serving.calibration.texts import Rows, resized, words_of
from serving.wire.cost import Cost

Shape = tuple[int, int]
"""(rows, width)"""


def warm_up(handler: Handler, batch_tokens: int, streams: int) -> Cost:
    """Run calls of all shapes, so that no request pays for the engine's first calls, and measure what they cost."""
    words, longest, grid = words_of(handler), handler.manifest.max_tokens, handler.grid
    if grid:
        calls = [padded_rows(words, *shape) for shape in padded_warm_up_shapes(grid, longest, batch_tokens)]
        timed = padded_timed_shapes(grid, longest, batch_tokens)
        rows = [padded_rows(words, *shape) for shape in timed]
    else:
        calls = packed_warm_up_calls(words, handler.width_step, longest, batch_tokens)
        timed = packed_timed_shapes(handler.width_step, batch_tokens)
        rows = [packed_rows(words, *shape, min(32, longest)) for shape in timed]
    run_all(handler, calls, streams)
    rounds = in_rounds(lambda _: [timed_s(handler, call) for call in rows], tuning.COST_ROUNDS, tuning.COST_MEASURE_S)
    return fit_cost([(*shape, min(seconds)) for shape, *seconds in zip(timed, *rounds, strict=True)])


def warm_up_again(handler: Handler, batch_tokens: int, streams: int) -> None:
    """The same where it is known what calls cost: all shapes that the engine prepares itself for, or a full call."""
    words, longest, grid = words_of(handler), handler.manifest.max_tokens, handler.grid
    if grid:
        calls = [padded_rows(words, *shape) for shape in padded_warm_up_shapes(grid, longest, batch_tokens)]
        full = padded_rows(words, *grid.shape(1, longest))
    else:
        calls = packed_warm_up_calls(words, handler.width_step, longest, batch_tokens)
        full = packed_rows(words, 1, batch_tokens, min(32, longest))
    run_all(handler, calls or [full], streams)


def run_all(handler: Handler, calls: Iterable[Rows], streams: int) -> None:
    """Each stream prepares for itself."""
    every = list(calls)
    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(lambda _: [handler.infer(call) for call in every], range(streams)))


def packed_warm_up_calls(words: Tokens, width_step: int, longest: int, batch_tokens: int) -> list[Rows]:
    """For an engine with a step: every width of a row, and every number of texts that is a power of two."""
    if width_step == 1:
        return []
    widths = range(width_step, max(batch_tokens, longest) + 1, width_step)
    counts = [1 << n for n in range((batch_tokens // 4).bit_length())]
    return [packed_rows(words, 1, width, longest) for width in widths] + [[[resized(words, 4)] * n] for n in counts]


def packed_timed_shapes(width_step: int, batch_tokens: int) -> list[Shape]:
    """From a short text to a full call, in one row and, where that is done, in several."""
    sizes = [tokens for tokens in (32, 64, 128, 256, 512) if tokens < batch_tokens] + [batch_tokens]
    several = [(tokens // width, width) for tokens in sizes for width in (32, 64, 128) if width < tokens]
    return list(dict.fromkeys([*((1, tokens) for tokens in sizes), *(several if width_step == 1 else [])]))


def packed_rows(words: Tokens, rows: int, width: int, longest: int) -> Rows:
    """Rows filled with texts of up to `longest` tokens."""
    return [[resized(words, min(longest, width - start)) for start in range(0, width, longest)]] * rows


def padded_warm_up_shapes(grid: Grid, longest: int, batch_tokens: int) -> list[Shape]:
    """For an engine with a step: every shape that calls can have."""
    if grid.width_step == 1:
        return []
    return _padded_shapes(grid, range(grid.width_step, longest + grid.width_step, grid.width_step), batch_tokens)


def padded_timed_shapes(grid: Grid, longest: int, batch_tokens: int) -> list[Shape]:
    """From a short text to the longest and to a full call of either."""
    return _padded_shapes(grid, (*(width for width in tuning.PADDED_WIDTHS if width < longest), longest), batch_tokens)


def _padded_shapes(grid: Grid, widths: Iterable[int], batch_tokens: int) -> list[Shape]:
    """What one text of these widths is filled up to, and two, four, eight … as far as a call goes."""
    calls = [(1 << n, width) for width in widths for n in range(batch_tokens.bit_length())]
    possible = [call for call in calls if call[0] == 1 or grid.tokens(*call) <= batch_tokens]
    return list(dict.fromkeys(grid.shape(*call) for call in possible))


def padded_rows(words: Tokens, rows: int, width: int) -> Rows:
    return [[resized(words, width)]] * rows
