"""How many tokens a call of the engine should have: measured, with texts of mixed lengths as a busy server sees them.

Small calls leave the engine waiting for its weights, large ones outgrow the caches; where between them the most tokens
a second are computed differs by model, engine and processor.
"""

from collections.abc import Sequence

from handlers.handler import Handler
from serving import tuning
from serving.calibration.rounds import in_rounds, timed_s
from serving.calibration.texts import Rows, mixed_call
from serving.wire.cost import Cost


def fastest_call_tokens(handler: Handler, cost: Cost, most: int, lengths: Sequence[int]) -> int:
    """The smallest size that is about as good as the one with the most tokens a second; never over `most`."""
    sizes = [size for size in tuning.SIZES if size < most] + [most]

    def speeds(number: int) -> list[float]:
        # Other texts in each round: a call that is repeated exactly is faster than calls of a real server.
        return [_tokens_per_s(handler, mixed_call(handler, cost, size, lengths, number)) for size in sizes]

    rounds = in_rounds(speeds, tuning.SIZE_ROUNDS, tuning.SIZE_MEASURE_S)
    best = [max(of_size) for of_size in zip(*rounds, strict=True)]
    return min(size for size, speed in zip(sizes, best, strict=True) if speed >= tuning.AS_GOOD * max(best))


def _tokens_per_s(handler: Handler, rows: Rows) -> float:
    return sum(len(text) for row in rows for text in row) / (timed_s(handler, rows) + tuning.AROUND_A_CALL_S)
