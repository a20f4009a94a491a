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
        self._sizes = {bulk: _Average() for bulk in (False, True)}
        self._bulk_share = 0.0

    def calibrate(self, cost: Cost, call_tokens: int, streams: int) -> None:
        """Start from a cost measured at warm-up, for `streams` calls at once of up to `call_tokens` tokens."""
        self._cost, self._slowness, self._call_tokens, self._streams = cost, 1.0, call_tokens, streams

    def observe(self, tokens: int, busy_s: float) -> None:
        """Learn from a call of the engine that kept its stream for `busy_s` seconds."""
        if self._cost == NO_COST:
            self._cost = Cost(busy_s)
        self._slowness += tuning.AVERAGE_WEIGHT * (busy_s / self._cost.layout_seconds(tokens) - self._slowness)

    def answered(self, tokens: int, bulk: bool = False) -> None:
        """Learn how large requests are; `bulk`: it took several calls, of which others' wait is no part."""
        self._sizes[bulk].add(tokens)
        self._bulk_share += tuning.AVERAGE_WEIGHT * (bulk - self._bulk_share)

    def estimated_wait_s(self) -> float:
        """Seconds until a stream is free for a request that comes now."""
        # Where each request has a call of its own, calls of one token are counted.
        if self._call_tokens == 1:
            return self._seconds(self.in_flight)
        bulk = self._bulk_share
        others = self.in_flight * (1 - bulk) * self._sizes[False].value
        wait_s = self._seconds(others)
        if not bulk:
            return wait_s
        # Bulk has a share of the calls; what is bulk itself waits for all.
        everything_s = self._seconds(others + self.in_flight * bulk * self._sizes[True].value)
        shared_s = min(everything_s, wait_s * tuning.BULK_EVERY / (tuning.BULK_EVERY - 1))
        return bulk * everything_s + (1 - bulk) * shared_s

    def _seconds(self, tokens: float) -> float:
        """What so many tokens take in full calls, and one that is not full."""
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


class _Average:
    """Tokens of a request, lately; 1 before there was any."""

    def __init__(self) -> None:
        self._known: float | None = None

    @property
    def value(self) -> float:
        return max(1.0, self._known or 0.0)

    def add(self, tokens: int) -> None:
        known = self._known
        self._known = tokens if known is None else known + tuning.AVERAGE_WEIGHT * (tokens - known)
