"""How many tokens a call of the engine should have: measured, with texts of mixed lengths as a busy server sees them.

Small calls leave the engine waiting for its weights, large ones outgrow the caches; where between them the most tokens
a second are computed differs by model, engine and processor.
"""

import itertools
import time

from handlers.handler import Handler
from handlers.tokens.packing import Tokens
from serving.batching.arrange import lay_out
from serving.calibration.warm_up import Rows, resized
from serving.wire.cost import Cost

# Of which the fastest is taken, and the most that the operator allows.
SIZES = (64, 96, 128, 192, 256, 384, 512)

# Lengths of texts, one after the other again and again; 24 tokens on average, as SST-2's sentences have.
LENGTHS = (9, 34, 19, 13, 45, 24, 16, 28, 11, 39, 21, 31)

# Each size is measured once a round, so that nobody else's work on the core meets one size only, for about so long. A
# round has lengths of its own: a call that is repeated exactly is faster than calls are in earnest.
ROUNDS = 2, 8
MEASURE_S = 0.5

# What a call costs in a server beside the engine: taking texts, laying them out, telling the front. Read off the
# processor times of front and worker with calls of 64 to 256 tokens, on one core of a Xeon; it need not be exact.
AROUND_A_CALL_S = 0.35e-3

# Of sizes as good as this the smallest is taken: whoever comes next waits less long for a stream to be free, and under
# load, where lengths are what they are, large calls lose more than they do here.
AS_GOOD = 0.96


def fastest_call_tokens(handler: Handler, cost: Cost, most: int) -> int:
    """The smallest size that is about as good as the one with the most tokens a second; never over `most`."""
    sizes = [size for size in SIZES if size < most] + [most]
    least_rounds, most_rounds = ROUNDS
    speeds: list[list[float]] = []
    started = time.perf_counter()
    while len(speeds) < least_rounds or (len(speeds) < most_rounds and time.perf_counter() - started < MEASURE_S):
        speeds.append([_tokens_per_s(handler, mixed_call(handler, cost, size, len(speeds))) for size in sizes])
    best = [max(of_size) for of_size in zip(*speeds, strict=True)]
    return min(size for size, speed in zip(sizes, best, strict=True) if speed >= AS_GOOD * max(best))


def mixed_call(handler: Handler, cost: Cost, tokens: int, variant: int = 0) -> Rows:
    """Texts of mixed lengths, others in each variant, that fill a call of so many tokens, as a server lays them out."""
    words = handler.tokenizer("a few words to measure with")
    texts: list[Tokens] = []
    for length in itertools.cycle(LENGTHS[variant:] + LENGTHS[:variant]):
        room = tokens - sum(map(len, texts))
        if texts and room < min(LENGTHS):
            break
        texts.append(resized(words, min(length, max(1, room), handler.manifest.max_tokens)))
    layout = lay_out([len(text) for text in texts], handler, cost)
    return [[texts[i] for i in row] for row in layout]


def _tokens_per_s(handler: Handler, rows: Rows) -> float:
    started = time.perf_counter()
    handler.infer(rows)
    seconds = time.perf_counter() - started + AROUND_A_CALL_S
    return sum(len(text) for row in rows for text in row) / seconds
