"""When requests are due and which bodies they carry: drawn from a seed, the same for all candidates.

What is drawn depends on the level, on how often it has been visited, and on the user or the number of the arrival;
never on when something happened.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

Kind = Literal["closed", "poisson", "constant"]

# What a stream of random numbers is for.
_DUE, _PAUSE, _ORDER = range(3)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Of one visit to a level.

    `closed`: `at` users; each sends, waits for the answer and thinks for an exponentially distributed time.
    `poisson` and `constant`: `at` requests a second, whatever is unanswered; independent of one another, or evenly
    spaced.
    """

    kind: Kind
    at: float
    think_time_s: float = 0.0
    """Of the closed loop: the mean."""
    seed: int = 0
    visit: int = 0
    """Of those to this level, from 0."""

    def due_s(self, seconds: float) -> list[float]:
        """When the requests of an open loop are due, in seconds from its begin.

        The arrivals of a Poisson process, given their number, are uniform (Ross, "Introduction to Probability Models",
        theorem 5.2).
        """
        assert self.kind != "closed", "this is a bug: a closed loop has no schedule"
        if self.kind == "constant":
            return [number / self.at for number in range(round(self.at * seconds))]
        random = self._stream(_DUE)
        due_s: list[float] = np.sort(random.uniform(0, seconds, random.poisson(self.at * seconds))).tolist()
        return due_s

    def pauses_s(self, user: int) -> Iterator[float]:
        """What a user of the closed loop thinks before each request."""
        random = self._stream(_PAUSE, user)
        while True:
            yield float(random.exponential(self.think_time_s))

    def bodies(self, count: int, user: int = 0) -> Iterator[int]:
        """Numbers of bodies, for each request of a user, or for each arrival: all of them in one order, repeated."""
        order = self._stream(_ORDER, user).permutation(count).tolist()
        while True:
            yield from order

    def _stream(self, purpose: int, user: int = 0) -> Generator:
        return np.random.default_rng((self.seed, round(1000 * self.at), self.visit, user, purpose))
