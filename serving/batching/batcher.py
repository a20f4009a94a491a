"""Which waiting texts share the next call of the engine.

Pure functions over the queue: no clock, no lock, no wait timer. A batch grows while the streams are busy and is
taken the moment one is free, so a lone request pays nothing.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from serving import tuning
from serving.batching.padded_cost import PaddedCost


class Waiting(Protocol):
    """A text in the queue: how many tokens it adds, until when it may wait, whether anybody still wants it."""

    @property
    def tokens(self) -> int: ...
    @property
    def wait_until(self) -> float: ...
    @property
    def cancelled(self) -> bool: ...


class WaitingRow(Waiting, Protocol):
    """A text that will have a row of its own: how many calls were taken that had a younger one and not this one."""

    @property
    def overtaken(self) -> int: ...


W = TypeVar("W", bound=Waiting)
R = TypeVar("R", bound=WaitingRow)


@dataclass(frozen=True, slots=True)
class Picked(Generic[W]):
    """`batch` goes to the engine in this order, `expired` and `cancelled` nowhere, `left` stays in the queue.

    `overtaken` are those of `left` that are older than one of `batch`, where an age guard counts that.
    """

    batch: list[W]
    expired: list[W]
    cancelled: list[W]
    left: list[W]
    overtaken: list[W] = field(default_factory=list)


def next_batch(queue: Sequence[W], batch_tokens: int, now: float) -> Picked[W]:
    """Fill a row of `batch_tokens` tokens, oldest first, with whatever of the queue fits into what is left of it.

    The oldest text is always taken, even if it is longer than the whole row, so none waits for company for ever.
    """
    picked: Picked[W] = Picked([], [], [], [])
    room = batch_tokens
    for text in queue:
        if text.cancelled:
            picked.cancelled.append(text)
        elif text.wait_until < now:
            picked.expired.append(text)
        elif text.tokens <= room or not picked.batch:
            picked.batch.append(text)
            room -= text.tokens
        else:
            picked.left.append(text)
    return picked


def next_padded_batch(queue: Sequence[R], batch_tokens: int, now: float, cost: PaddedCost) -> Picked[R]:
    """The oldest text with company of about its length, as many as give the most tokens a second by the cost.

    A call has at most `batch_tokens` tokens with padding, or what the oldest text takes alone. The queue is in the
    order of arrival, and the oldest text is always taken: one that came when `n` others waited is in one of the next
    `n + 1` calls. A text that `tuning.MOST_OVERTAKEN` calls have left behind a younger one comes before every younger
    one, whatever its length. Calls are counted and not seconds: under overload all texts wait for long.
    """
    expired: list[R] = []
    cancelled: list[R] = []
    waiting: list[R] = []
    for text in queue:
        (cancelled if text.cancelled else expired if text.wait_until < now else waiting).append(text)
    if not waiting:
        return Picked([], expired, cancelled, [])
    most_tokens = max(batch_tokens, cost.tokens(1, waiting[0].tokens))
    order = _by_company(waiting, tuning.CALLS_AHEAD * most_tokens)
    places = order[: _best_count([waiting[place].tokens for place in order], most_tokens, cost)]
    taken, youngest = set(places), max(places)
    left = [text for place, text in enumerate(waiting) if place not in taken]
    overtaken = [text for place, text in enumerate(waiting[:youngest]) if place not in taken]
    return Picked([waiting[place] for place in places], expired, cancelled, left, overtaken)


def _by_company(waiting: Sequence[WaitingRow], window_tokens: int) -> list[int]:
    """Places in `waiting`: the oldest text, then those that were overtaken too often, then the nearest in length."""
    reached = itertools.accumulate(text.tokens for text in waiting)
    window = range(1, max(1, sum(tokens <= window_tokens for tokens in reached)))
    due = [place for place in window if waiting[place].overtaken >= tuning.MOST_OVERTAKEN]
    others = [place for place in window if waiting[place].overtaken < tuning.MOST_OVERTAKEN]
    return [0, *due, *sorted(others, key=lambda place: abs(waiting[place].tokens - waiting[0].tokens))]


def _best_count(lengths: Sequence[int], most_tokens: int, cost: PaddedCost) -> int:
    """How many of these texts, from the first on, make the call that computes the most tokens a second."""
    best, best_seconds_per_token = 1, math.inf
    longest = total = 0
    for count, tokens in enumerate(lengths, start=1):
        longest, total = max(longest, tokens), total + tokens
        if count > 1 and cost.tokens(count, longest) > most_tokens:
            break
        seconds_per_token = cost.seconds(count, longest) / total
        if seconds_per_token < best_seconds_per_token:
            best, best_seconds_per_token = count, seconds_per_token
    return best
