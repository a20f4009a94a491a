"""The gate in front of a variant: refuse at once what could not be answered in time.

The same gate stands in front of every backend, so throttling thresholds compare.
"""

import asyncio
import time

from model_store.errors import Overloaded

# Weight of the newest call of the engine in the moving average; some tens of calls make up its memory.
_WEIGHT = 0.05


class Gate:
    """Counts what is in flight and estimates how long a newcomer would wait for the engine."""

    def __init__(self, max_queue: int, queue_deadline_s: float) -> None:
        self.max_queue = max_queue
        self.queue_deadline_s = queue_deadline_s
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._seconds_per_request: float | None = None

    def observe(self, requests: int, busy_s: float, streams: int) -> None:
        """Learn from a call of the engine: `requests` took one of `streams` streams for `busy_s` seconds."""
        seconds = busy_s / requests / streams
        known = self._seconds_per_request
        self._seconds_per_request = seconds if known is None else known + _WEIGHT * (seconds - known)

    def estimated_wait_s(self) -> float:
        return self.in_flight * (self._seconds_per_request or 0.0)

    def admit(self) -> float:
        """Let a request in and return until when it may wait (monotonic seconds), or raise Overloaded."""
        wait_s = self.estimated_wait_s()
        if self.in_flight >= self.max_queue:
            raise Overloaded("queue full", max(wait_s - self.queue_deadline_s, 0.05))
        if wait_s > self.queue_deadline_s:
            raise Overloaded("queue deadline", max(wait_s - self.queue_deadline_s, 0.05))
        self.in_flight += 1
        self.idle.clear()
        # The estimate was good; give it room for one batch more before the worker, too, refuses the request.
        return time.monotonic() + 2 * self.queue_deadline_s

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()
