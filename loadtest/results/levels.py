"""One level: what a number of users, or an arrival rate, got."""

from dataclasses import dataclass, field
from typing import NamedTuple

from loadtest.results.visits import Slice, Visit


class Window(NamedTuple):
    """The measured part of a visit, in seconds since the campaign began."""

    t_start_s: float
    """What is answered from then on is counted; of a rate, what is due from then on."""
    t_end_s: float
    """What is answered, or due, from then on is not."""

    @property
    def duration_s(self) -> float:
        return self.t_end_s - self.t_start_s


@dataclass(frozen=True, slots=True)
class VisitWindow:
    """What the generator knows of a visit when it ends; the rest is in the rows of the requests."""

    at: float
    """Users, or requests per second."""
    window: Window
    in_flight: int
    """Requests without an answer when the window closed; they are counted in no level's percentiles."""
    generator_cpu_share: float
    """Processor time of the generator per second, as a share of one core."""
    loop_lag_p99_ms: float = 0.0
    """How much later than asked the generator's loop wakes up; the 99th percentile."""
    not_sent: int = 0
    """Requests of the open loop for which no connection was free, or that would have been sent too late."""
    unsteady: str = ""
    """Why the level was not steady when its time was up; empty where it was."""


@dataclass(frozen=True, slots=True)
class LevelResult:
    """What one number of users, or one arrival rate, got in all its visits that can be believed.

    Where no visit can, `doubts` says why, and the figures are of all visits; they are shown and never used. Percentiles
    are of the ok answers alone, and None where too few were measured. Times count from when a request was due.
    """

    at: float
    """Users, or requests per second, as the level was asked for."""
    duration_s: float
    """All windows together."""
    attempts: int
    """Requests that were over within the windows; of a rate, those due within them."""
    ok: int
    """Answered 2xx."""
    rejected: int
    """Answered 429, or 503 with `Retry-After`."""
    failed: int
    """Answered otherwise, or the connection broke."""
    timeout: int
    """Given up, as no answer had come in time."""
    censored: int
    """Requests still in flight when a window closed."""
    late: int
    """Answered ok, but later than the objective allows; 0 where there is none."""
    offered_per_s: float
    """Attempts per second."""
    ok_per_s: float
    """Ok answers per second."""
    mean_ms: float | None
    """Mean response time; None without an ok answer."""
    p50_ms: float | None
    """Median response time; None without an ok answer."""
    p95_ms: float | None
    """95th percentile of the response times; None with fewer than 72 ok answers."""
    p99_ms: float | None
    """99th percentile of the response times; None with fewer than 368 ok answers."""
    think_ms: float | None
    """Mean of the pauses drawn; None in the open loop."""
    generator_cpu_share: float
    """Processor time of the load generator per second, as a share of one core; the greatest of all visits."""
    send_lag_p99_ms: float
    """How much later than due requests were sent; the 99th percentile."""
    loop_lag_p99_ms: float
    """How much later than asked the generator's loop woke up; the 99th percentile, and the greatest of all visits."""
    little_error: float
    """|N - X (R + Z)| / N over all attempts (Little's law); 0 in the open loop, where it says nothing."""
    phases_ms: dict[str, float] = field(default_factory=dict)
    """Mean time of an ok answer by phase: transport, wire, tokenize, queue, batch, infer, encode, unattributed; empty
    where the server does not state it."""
    slices: tuple[Slice, ...] = ()
    """Attempts and unserved, second by second."""
    late_slices: tuple[Slice, ...] = ()
    """Attempts, and those late or unserved, second by second; empty without an objective."""
    windows: tuple[Window, ...] = ()
    """Of all visits that the figures are of."""
    doubts: tuple[str, ...] = ()
    """Why the level cannot be believed, one sentence each; empty where it can."""
    not_sent: int = 0
    """Requests that the generator could not send in time; they are not among the attempts."""
    doubtful_visits: int = 0
    """Visits that failed a gate and are not in the figures."""
    only_failures: bool = False
    """All that is doubted is that requests failed: its times and rates are not used, but its seconds count for the
    threshold, as a request that fails is not served."""

    @property
    def users(self) -> int:
        """Of a level of the closed loop."""
        return round(self.at)

    @property
    def visits(self) -> int:
        return max(1, len(self.windows))

    @property
    def visits_made(self) -> int:
        """With those that failed a gate."""
        return self.doubtful_visits + len(self.windows) if self.is_sound else max(1, self.doubtful_visits)

    @property
    def is_sound(self) -> bool:
        return not self.doubts

    @property
    def counts(self) -> bool:
        """Whether its seconds may be used for a threshold."""
        return self.is_sound or self.only_failures

    @property
    def unserved(self) -> int:
        """Everything that was not answered ok."""
        return self.attempts - self.ok

    @property
    def unserved_share(self) -> float:
        return self.unserved / self.attempts if self.attempts else 0.0

    @property
    def visit(self) -> Visit:
        """What it says of the threshold. A level that was kept without its seconds is taken as a single one."""
        return Visit(self.at, self.slices or (Slice(self.attempts, self.unserved),))


def level_at(levels: tuple[LevelResult, ...], at: float | None) -> LevelResult | None:
    """The level with this number of users, or this rate."""
    return next((level for level in levels if level.at == at), None)
