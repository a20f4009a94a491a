"""One level, once, second by second: what the estimate of a threshold is made from."""

from dataclasses import dataclass
from typing import NamedTuple


class Slice(NamedTuple):
    """A second of a level."""

    attempts: int
    """Requests that were over; of a rate, those that were due."""
    bad: int
    """Those of them that were not served; where it is about an objective, also those served too late."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One level, once. `at` are users, or requests per second."""

    at: float
    slices: tuple[Slice, ...]
