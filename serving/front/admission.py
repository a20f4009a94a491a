"""The gate in front of a variant: refuse at once what could not be answered in time.

The same gate stands in front of every backend, so throttling thresholds compare.
"""

import asyncio
import time

from model_store.errors import Overloaded
from serving import tuning
from serving.front.refusals import Refusal, Refused
from serving.wire.cost import NO_COST, Cost


class Gate:
    """Counts what is in flight and estimates how long a newcomer would wait for the engine.

    The estimate is what the requests in flight cost when they are served in full batches, by the cost that was
    measured at warm-up, times how far the engine has been from that lately (others may use its cores).
    """

    def __init__(self, max_queue: int, queue_deadline_s: float) -> None:
        self.max_queue = max_queue
        self.queue_deadline_s = queue_deadline_s
        self.in_flight = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._call_tokens = 1
        self._streams = 1
        self._cost = NO_COST
        self._slowness = 1.0
        self._tokens_per_request: float | None = None

    def calibrate(self, cost: Cost, call_tokens: int, streams: int) -> None:
        """Start from a cost measured at warm-up, for `streams` calls at once of up to `call_tokens` tokens."""
        self._cost, self._slowness, self._call_tokens, self._streams = cost, 1.0, call_tokens, streams

    def observe(self, tokens: int, busy_s: float) -> None:
        """Learn from a call of the engine that kept its stream for `busy_s` seconds."""
        if self._cost == NO_COST:
            self._cost = Cost(busy_s)
        self._slowness += tuning.AVERAGE_WEIGHT * (busy_s / self._cost.layout_seconds(tokens) - self._slowness)

    def answered(self, tokens: int) -> None:
        """Learn how large requests are."""
        known = self._tokens_per_request
        self._tokens_per_request = tokens if known is None else known + tuning.AVERAGE_WEIGHT * (tokens - known)

    def estimated_wait_s(self) -> float:
        """Seconds until a stream is free for a request that comes now."""
        # Where each request has a call of its own, calls of one token are counted.
        per_request = max(1.0, self._tokens_per_request or 0.0) if self._call_tokens > 1 else 1.0
        tokens = self.in_flight * per_request
        full_calls, rest = divmod(tokens, self._call_tokens)
        seconds = full_calls * self._cost.layout_seconds(self._call_tokens)
        if rest:
            seconds += self._cost.layout_seconds(rest)
        return seconds * self._slowness / self._streams

    def refusal(self) -> Refused | None:
        """Why a request that comes now would not be let in; None where it would be."""
        wait_s, longest_s = self.estimated_wait_s(), tuning.WAIT_SHARE * self.queue_deadline_s
        if self.in_flight < self.max_queue and wait_s <= longest_s:
            return None
        reason = Refusal.QUEUE_FULL if self.in_flight >= self.max_queue else Refusal.QUEUE_DEADLINE
        return Refused(reason, Overloaded(reason, max(wait_s - longest_s, 0.05)))

    def admit(self) -> float:
        """Let a request in and return until when it may wait (monotonic seconds), or raise Refused."""
        if refused := self.refusal():
            raise refused
        self.in_flight += 1
        self.idle.clear()
        # The estimate may be off by more than half before the worker, too, refuses the request.
        return time.monotonic() + 2 * self.queue_deadline_s

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()
