"""The bytes of bodies that are being read, admitted or waiting: together within one budget, however many send them."""

import math

from model_store.errors import Overloaded
from serving.front.refusals import Refusal, Refused

# Nobody knows when bodies that others are still sending will have been answered.
RETRY_AFTER_S = 1.0


class ByteBudget:
    """Whoever reads a body holds its bytes from before it is read until it is answered."""

    def __init__(self, limit_bytes: float = math.inf) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0

    def hold(self, size: int) -> None:
        """Take `size` bytes of the budget, or raise Refused where they do not fit."""
        if refused := self.refusal(size):
            raise refused
        self.held_bytes += size

    def refusal(self, size: int) -> Refused | None:
        """Why `size` bytes could not be held now; None where they could."""
        if self.held_bytes + size <= self.limit_bytes:
            return None
        return Refused(Refusal.BYTES_IN_FLIGHT, Overloaded(Refusal.BYTES_IN_FLIGHT, RETRY_AFTER_S))

    def release(self, size: int) -> None:
        """Give back what was held."""
        self.held_bytes -= size
