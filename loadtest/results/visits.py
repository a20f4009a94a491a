"""One level, once, second by second: what the estimate of a threshold is made from."""

from dataclasses import dataclass
from typing import NamedTuple


class Slice(NamedTuple):
    """A second of a level: how many requests were over, and how many of them were bad: not served, or too late."""

    attempts: int
    bad: int


@dataclass(frozen=True, slots=True)
class Visit:
    """One level, once. `at` are users, or requests per second."""

    at: float
    slices: tuple[Slice, ...]
