"""The front: candidates that no other beats in quality or response time beyond what is noise."""

from dataclasses import dataclass

from loadtest.results.comparison import Report


@dataclass(frozen=True, slots=True)
class FrontPoint:
    """A candidate between response time and quality."""

    name: str
    p95_ms: float
    """Geometric mean of its runs."""
    p95_interval_ms: tuple[float, float] | None
    quality: float
    quality_interval: tuple[float, float] | None
    is_on_front: bool
    """No other is clearly better in one without being clearly worse in the other."""
    is_below_floor: bool
    """It clearly loses more than `max_drop` of the first candidate's quality, and is never on the front."""


@dataclass(frozen=True, slots=True)
class Front:
    """Every candidate with both measures, by response time. They are of the common rate, or else of `users`."""

    points: tuple[FrontPoint, ...]
    rate_per_s: float | None
    users: int | None

    @property
    def names(self) -> tuple[str, ...]:
        """Of those on it."""
        return tuple(point.name for point in self.points if point.is_on_front)


def front_of(report: Report) -> Front:
    """The front at the common rate; where there is none, at the fewest users that all were measured at."""
    raise NotImplementedError
