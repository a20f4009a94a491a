"""Where a campaign's results go, and what it tells of a level that is running."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.generator.events import CampaignEvent, LevelTicked, encode_event
from loadtest.statistics.levels import MIN_FOR_P95, percentile_ms


@dataclass(frozen=True, slots=True)
class Outputs:
    requests: Path
    events_fd: int

    def emit(self, event: CampaignEvent) -> None:
        os.write(self.events_fd, encode_event(event))


@dataclass(frozen=True, slots=True)
class Level:
    """One that is running."""

    index: int
    """Place in the order of visit, from 0."""
    max_dwell_s: float
    users: int = 0
    rate_per_s: float | None = None


def ticked(level: Level, attempts: int, ok_ms: Sequence[float], elapsed_s: float) -> LevelTicked:
    """What is known of it after `elapsed_s`: the requests that are over, and the response times of the ok ones."""
    return LevelTicked(
        index=level.index,
        users=level.users,
        elapsed_s=elapsed_s,
        max_dwell_s=level.max_dwell_s,
        attempts=attempts,
        ok_per_s=len(ok_ms) / elapsed_s,
        unserved_share=1 - len(ok_ms) / max(1, attempts),
        p95_ms=percentile_ms(ok_ms, 95, MIN_FOR_P95),
        rate_per_s=level.rate_per_s,
    )
