"""Timing calls of the engine in rounds.

Everything that is compared is measured once a round, so that nobody else's work on the cores meets one candidate only.
"""

import time
from collections.abc import Callable

from handlers.handler import Handler
from serving.calibration.texts import Rows


def in_rounds(one_round: Callable[[int], list[float]], rounds: tuple[int, int], enough_s: float) -> list[list[float]]:
    """What each round measured; `one_round` is given its number.

    There are `rounds[0]` to `rounds[1]` of them; past the least, none begins after `enough_s` seconds.
    """
    least, most = rounds
    measured: list[list[float]] = []
    started = time.perf_counter()
    while len(measured) < least or (len(measured) < most and time.perf_counter() - started < enough_s):
        measured.append(one_round(len(measured)))
    return measured


def timed_s(handler: Handler, rows: Rows) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    handler.infer(rows)
    return time.perf_counter() - started
