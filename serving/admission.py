"""The gate in front of a variant: refuse at once what could not be answered in time.

The same gate stands in front of every backend, so throttling thresholds compare.
"""

import asyncio
import math
import time

from model_store.errors import Overloaded
from serving.cost import Cost

# Weight of the newest call of the engine in the moving averages; some tens of calls make up their memory.
_WEIGHT = 0.05


class Gate:
    """Counts what is in flight and estimates how long a newcomer would wait for the engine.

    The estimate is what the requests in flight cost when they are served in full batches, by the cost that was
    measured at warm-up, times how far the engine has been from that lately (others may use its cores).
    """

    def __init__(self, max_queue: int, queue_deadline_s: float, batch_tokens: int, streams: int) -> None:
        self.max_queue = max_queue
        self.queue_deadline_s = queue_deadline_s
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._batch_tokens = batch_tokens
        self._streams = streams
        self._cost = Cost()
        self._slowness = 1.0
        self._tokens_per_request = 0.0

    def calibrate(self, cost: Cost) -> None:
        """Start from a cost measured at warm-up; a variant that could not be measured has none."""
        self._cost, self._slowness = cost, 1.0

    def observe(self, requests: int, tokens: int, busy_s: float) -> None:
        """Learn from a call of the engine that kept its stream for `busy_s` seconds."""
        if self._tokens_per_request == 0.0:
            self._tokens_per_request = tokens / requests
        self._tokens_per_request += _WEIGHT * (tokens / requests - self._tokens_per_request)
        if self._cost == Cost():
            self._cost = Cost(busy_s)
        self._slowness += _WEIGHT * (busy_s / self._cost.seconds(tokens) - self._slowness)

    def estimated_wait_s(self) -> float:
        """Seconds until a stream is free for a request that comes now."""
        tokens = self.in_flight * self._tokens_per_request
        full_batches = math.floor(tokens / self._batch_tokens)
        rest = tokens - full_batches * self._batch_tokens
        seconds = full_batches * self._cost.seconds(self._batch_tokens) + (self._cost.seconds(rest) if rest else 0.0)
        return seconds * self._slowness / self._streams

    def admit(self) -> float:
        """Let a request in and return until when it may wait (monotonic seconds), or raise Overloaded."""
        wait_s = self.estimated_wait_s()
        if self.in_flight >= self.max_queue:
            raise Overloaded("queue full", max(wait_s - self.queue_deadline_s, 0.05))
        if wait_s > self.queue_deadline_s:
            raise Overloaded("queue deadline", max(wait_s - self.queue_deadline_s, 0.05))
        self.in_flight += 1
        self.idle.clear()
        # An estimate may be off by as much again before the worker, too, refuses the request.
        return time.monotonic() + 2 * self.queue_deadline_s

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()
