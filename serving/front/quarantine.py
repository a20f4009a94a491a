"""Requests that were on board when a worker died: the next time they run alone, and after a second death not at all.

A worker's death is rarely the fault of all that it was running, and often of nothing that it was running (the kernel
took its memory, somebody killed it). So whoever was on board is only suspected. A suspect that comes again, from its
client or as a retry, runs alone: if it is answered the suspicion is gone, if its worker dies again it is guilty.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterable

from handlers.payloads.request import RawRequest

# The most requests that are remembered; the ones longest untouched are forgotten first.
MOST_REMEMBERED = 1024

# Then a request may try again: what made it deadly may be gone.
FORGET_AFTER_S = 600.0

DEADLY = 2


class Quarantine:
    """Deaths by request, told apart by what they ask and not by their id."""

    def __init__(self) -> None:
        self._deaths: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def deaths(self, request: RawRequest) -> int:
        if not self._deaths:  # a digest for every request of a healthy server would cost without use
            return 0
        count, since = self._deaths.get(_digest(request), (0, 0.0))
        return count if time.monotonic() - since < FORGET_AFTER_S else 0

    def accuse(self, requests: Iterable[RawRequest]) -> None:
        """One worker died with these on board; several may ask the same."""
        told = {_digest(request): self.deaths(request) + 1 for request in requests}
        for digest, count in told.items():
            self._deaths[digest] = (count, time.monotonic())
            self._deaths.move_to_end(digest)
        while len(self._deaths) > MOST_REMEMBERED:
            self._deaths.popitem(last=False)

    def acquit(self, request: RawRequest) -> None:
        self._deaths.pop(_digest(request), None)


def _digest(request: RawRequest) -> bytes:
    told = hashlib.blake2b(request.body, digest_size=16)
    told.update(f"\0{request.protocol}\0{request.content_type}\0{request.json_length}".encode())
    return told.digest()
