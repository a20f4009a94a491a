"""How fast calls are when several streams run them at once."""

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

Given = TypeVar("Given")


@dataclass(frozen=True, slots=True)
class Counted(Generic[Given]):
    """A call, and how many texts are in it."""

    call: Given
    texts: int


def texts_per_s(run: Callable[[Given], object], calls: Sequence[Counted[Given]], streams: int, seconds: float) -> float:
    """Texts a second when each stream runs its share of `calls` over and over, for about so long."""

    def stream(number: int) -> int:
        texts, share = 0, itertools.cycle(calls[number::streams])
        while time.perf_counter() < ends_at:
            one = next(share)
            run(one.call)
            texts += one.texts
        return texts

    with ThreadPoolExecutor(streams) as pool:
        started = time.perf_counter()
        ends_at = started + seconds
        return sum(pool.map(stream, range(streams))) / (time.perf_counter() - started)
