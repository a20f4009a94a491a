"""Which waiting texts share the next call of the engine.

A pure function over the queue: no clock, no lock, no wait timer. A batch grows while the streams are busy and is
taken the moment one is free, so a lone request pays nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """A text in the queue: how many tokens it adds, until when it may wait, whether anybody still wants it."""

    @property
    def tokens(self) -> int: ...
    @property
    def wait_until(self) -> float: ...
    @property
    def cancelled(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Picked(Generic[W]):
    """`batch` goes to the engine in this order, `expired` and `cancelled` nowhere, `left` stays in the queue."""

    batch: list[W]
    expired: list[W]
    cancelled: list[W]
    left: list[W]


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
