"""A threshold: the load from which too large a share of requests is bad."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """The load from which more than a given share of requests is not served; of a rate within an SLO: served too late.

    All its numbers are users, or requests per second.
    """

    at: float | None
    """Estimated between levels that lie close together; None when the levels only bound it."""
    bracket: tuple[float | None, float | None]
    """The largest level below the estimate and the smallest one above it."""
    text: str
    """For people: "52", "> 58", "< 1", or "48-64" where no level between the two was visited."""
    interval: tuple[float | None, float | None] = (None, None)
    """Of 95 %; an end that is not bounded is None."""

    @property
    def at_least(self) -> float:
        """The largest load that is taken to be held."""
        return self.at if self.at is not None else self.bracket[0] or 0
