"""Where a campaign's results go, and what it tells of a level that is running."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Tally:
    """What is known of a level so far; requests are added as they are over, so that no tick takes long."""

    level: Level
    seen: int
    """How many of the recorded requests have been added, or are of before."""
    attempts: int = 0
    ok_ms: list[float] = field(default_factory=list)

    def add(self, requests: Iterable[tuple[bool, float]]) -> None:
        """The next requests: whether each was answered ok, and after how many milliseconds."""
        for ok, response_ms in requests:
            self.seen += 1
            self.attempts += 1
            if ok:
                self.ok_ms.append(response_ms)

    def ticked(self, elapsed_s: float) -> LevelTicked:
        """After `elapsed_s`."""
        return LevelTicked(
            index=self.level.index,
            users=self.level.users,
            elapsed_s=elapsed_s,
            max_dwell_s=self.level.max_dwell_s,
            attempts=self.attempts,
            ok_per_s=len(self.ok_ms) / elapsed_s,
            unserved_share=1 - len(self.ok_ms) / max(1, self.attempts),
            p95_ms=percentile_ms(self.ok_ms, 95, MIN_FOR_P95),
            rate_per_s=self.level.rate_per_s,
        )
