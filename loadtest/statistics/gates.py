"""The gates that a visit to a level must pass before its numbers are used.

A visit that fails one is not pooled with others. A level without a sound visit is kept with its doubts and is used for
no threshold, front or comparison. There is one exception: where all that is doubted is that requests failed, their
response times and rates are not used, but its seconds count for the threshold, since it is the load from which requests
are not served, and one that fails is not.
"""

from dataclasses import dataclass
from math import sqrt

from loadtest.results.levels import LevelResult

MOST_GENERATOR_CPU = 0.8
MOST_LITTLE_ERROR = 0.05
# How late one request in a hundred may be sent: a part of the requests' own p95, and in any case as long as the
# scheduler may give the generator's core to another process at a time.
MOST_LAG_SHARE, LEAST_LAG_MS = 0.1, 5.0
# Requests that failed, rather than being rejected or too late: something broke.
MOST_FAILED = 0.001


@dataclass(frozen=True, slots=True)
class Doubts:
    """Why one visit cannot be believed, a sentence each."""

    broken: tuple[str, ...] = ()
    """Requests failed, which the server did."""
    other: tuple[str, ...] = ()
    """What says that it was not measured well."""

    @property
    def all(self) -> tuple[str, ...]:
        return self.other + self.broken


def doubts_of(level: LevelResult, unsteady: str = "") -> Doubts:
    """The gates that one visit fails; `unsteady` is what the test of steadiness says."""
    allowed_ms = max(LEAST_LAG_MS, MOST_LAG_SHARE * (level.p95_ms or 0.0))
    late_ms = max(level.send_lag_p99_ms, level.loop_lag_p99_ms)
    used, little = level.generator_cpu_share, level.little_error
    reasons = {
        unsteady: bool(unsteady),
        f"the generator used {used:.0%} of a core.": used > MOST_GENERATOR_CPU,
        f"the generator was {late_ms:.1f} ms late (p99).": late_ms > allowed_ms,
        f"the generator did not send {level.not_sent} requests in time.": level.not_sent > 0,
        f"Little's law is off by {little:.0%}.": little > most_little_error(level),
        "it measured no request.": not level.attempts,
    }
    broken = (f"{level.failed} requests failed.",) if level.failed > MOST_FAILED * level.attempts else ()
    return Doubts(broken, tuple(reason for reason, applies in reasons.items() if applies))


def most_little_error(level: LevelResult) -> float:
    """The error of Little's law that is allowed: that of a sound visit, and twice what chance adds.

    Each user's first cycle began before the window and its last ends after it. With exponential pauses both parts have
    the deviation of a cycle, so the error has √(2/N) cycles by the duration.
    """
    cycle_s = ((level.think_ms or 0.0) + (level.mean_ms or 0.0)) / 1e3
    return MOST_LITTLE_ERROR + 2 * sqrt(2 / level.at) * cycle_s / level.duration_s
