"""The gates that a visit to a level must pass before its numbers are used."""

from loadtest.results.levels import LevelResult

MOST_GENERATOR_CPU = 0.8
MOST_LITTLE_ERROR = 0.05
# Of the requests' own p95, and in any case allowed: what the generator may add by being late.
MOST_LAG_SHARE, LEAST_LAG_MS = 0.05, 2.0
# Requests that failed, rather than being rejected or too late: something broke.
MOST_FAILED = 0.001


def doubts_of(level: LevelResult, unsteady: str = "") -> tuple[str, ...]:
    """Why one visit cannot be believed, one sentence each; `unsteady` is what the test of steadiness says."""
    allowed_ms = max(LEAST_LAG_MS, MOST_LAG_SHARE * (level.p95_ms or 0.0))
    late_ms = max(level.send_lag_p99_ms, level.loop_lag_p99_ms)
    reasons = {
        unsteady: bool(unsteady),
        f"the generator used {level.generator_cpu_share:.0%} of a core.": level.generator_cpu_share
        > MOST_GENERATOR_CPU,
        f"the generator was {late_ms:.1f} ms late (p99).": late_ms > allowed_ms,
        f"the generator did not send {level.not_sent} requests in time.": level.not_sent > 0,
        f"Little's law is off by {level.little_error:.0%}.": level.little_error > MOST_LITTLE_ERROR,
        f"{level.failed} requests failed.": level.failed > MOST_FAILED * level.attempts,
    }
    return tuple(reason for reason, applies in reasons.items() if applies)
