"""Requests that were running when a worker died: they run alone next time, and after a second death not at all.

A worker's death is rarely the fault of all that it was running, and often of nothing that it was running (the kernel
took its memory, somebody killed it). So what was running is only suspected. A suspect that comes again, from its client
or as a retry, runs alone: if it is answered the suspicion is gone, if its worker dies again it is not run any more.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Iterable

from handlers.payloads.request import RawRequest
from serving.wire.messages import Ask

# The most requests that are remembered; the ones longest untouched are forgotten first.
MOST_REMEMBERED = 1024

# Then a request may try again: what made it deadly may be gone.
FORGET_AFTER_S = 600.0

# Deaths after which a request is not run any more.
DEADLY = 2

Asked = RawRequest | Ask


class Quarantine:
    """Deaths by request. Two requests with the same content are one here, whatever their ids."""

    def __init__(self) -> None:
        self._deaths: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def deaths(self, request: Asked) -> int:
        if not self._deaths:  # a digest for every request of a healthy server would cost without use
            return 0
        self._forget(time.monotonic() - FORGET_AFTER_S)
        return self._deaths.get(_digest(request), (0, 0.0))[0] if self._deaths else 0

    def accuse(self, requests: Iterable[Asked]) -> None:
        """One worker died while it ran these; several may ask the same."""
        counts = {_digest(request): self.deaths(request) + 1 for request in requests}
        for digest, count in counts.items():
            self._deaths[digest] = (count, time.monotonic())
            self._deaths.move_to_end(digest)
        while len(self._deaths) > MOST_REMEMBERED:
            self._deaths.popitem(last=False)

    def _forget(self, until: float) -> None:
        """Those whose last death was before; the oldest is the first."""
        while self._deaths and next(iter(self._deaths.values()))[1] <= until:
            self._deaths.popitem(last=False)

    def acquit(self, request: Asked) -> None:
        self._deaths.pop(_digest(request), None)


def _digest(request: Asked) -> bytes:
    digest = hashlib.blake2b(request.body, digest_size=16)
    digest.update(f"\0{request.protocol}\0{request.content_type}\0{request.json_length}".encode())
    return digest.digest()
