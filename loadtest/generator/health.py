"""What the generator adds to what it measures: how late its loop wakes up, and what it takes of its core."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loadtest.statistics.levels import percentile_ms

# A task of the loop sleeps so long, again and again, and notes how much longer it was.
PAUSE_S = 0.01


@dataclass(slots=True)
class Health:
    """Of a window that begins when this is made. The loop's own task calls `overslept`."""

    begun_s: float = field(default_factory=time.perf_counter)
    cpu_begun_s: float = field(default_factory=time.process_time)
    oversleeps_ms: list[float] = field(default_factory=list)
    cpu_share: float = 0.0
    """Processor time per second until `close`, as a share of one core."""

    def overslept(self, asleep_s: float) -> None:
        """`asleep_s` is how long a sleep of `PAUSE_S` took."""
        self.oversleeps_ms.append(max(0.0, 1e3 * (asleep_s - PAUSE_S)))

    @property
    def loop_lag_p99_ms(self) -> float:
        return percentile_ms(self.oversleeps_ms, 99) or 0.0

    def close(self) -> None:
        """The window is over."""
        self.cpu_share = (time.process_time() - self.cpu_begun_s) / (time.perf_counter() - self.begun_s)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Keep the collector's pauses out of what is measured; collecting once is done before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
