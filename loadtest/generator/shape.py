"""Steps the users through the levels on Locust. Imported in the generator's process only."""

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gevent
from locust import LoadTestShape

from loadtest.generator.events import CampaignEvent, LevelDone, LevelStarted, LevelTicked, encode_event
from loadtest.generator.users import Workload
from loadtest.results.levels import LevelResult, VisitWindow, Window
from loadtest.results.records import rows_since
from loadtest.results.request_log import append_rows
from loadtest.statistics.levels import VisitRows, in_window, summarise_visits, visit_rows
from loadtest.statistics.search import next_level
from loadtest.statistics.steadiness import begin, watched

_POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a campaign's results go."""

    requests: Path
    events_fd: int

    def emit(self, event: CampaignEvent) -> None:
        os.write(self.events_fd, encode_event(event))


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep the collector's pauses out of the measured window; collecting once is done before it settles."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Staircase(LoadTestShape):
    """Visits the levels that `next_level` names.

    Locust calls `tick` at most once a second, which is too coarse for a window's edges. So each `tick` measures the
    level that is running, from start to end in its own greenlet, and then returns the next one.
    """

    workload: Workload
    outputs: Outputs

    def __init__(self) -> None:
        super().__init__()
        self._visits = 0
        self._seen: dict[int, list[VisitRows]] = {}
        self._done: dict[int, LevelResult] = {}
        self._users: int | None = None

    def tick(self) -> tuple[int, float] | None:
        """Measure the current level, then name the next one with the users to start per second."""
        if self._users is not None:
            self._done[self._users] = self._measure(self._users)
        previous, self._users = self._users or 0, next_level(self.workload.campaign, list(self._done.values()))
        if self._users is None:
            return None
        campaign = self.workload.campaign
        planned = len(campaign.levels) if campaign.exact_levels and campaign.levels != "auto" else None
        self.outputs.emit(LevelStarted(self._visits, self._users, planned))
        return self._users, max(1.0, abs(self._users - previous) / self.workload.campaign.ramp_s)

    def _measure(self, users: int) -> LevelResult:
        campaign = self.workload.campaign
        while self.get_current_user_count() != users:
            gevent.sleep(_POLL_S / 5)
        with _no_garbage_collection():
            gevent.sleep(max(campaign.settle_s, 3 * campaign.think_time_s))
            visit = self._dwell(users)
        rows = self.workload.recorder.take()
        marked = ((in_window(row, visit.window), row) for row in rows)
        append_rows(self.outputs.requests, self._visits, users, marked)
        self._seen.setdefault(users, []).append(visit_rows(visit, rows))
        result = summarise_visits(self._seen[users])
        self.outputs.emit(LevelDone(self._visits, result))
        self._visits += 1
        return result

    def _dwell(self, users: int) -> VisitWindow:
        campaign, recorder = self.workload.campaign, self.workload.recorder
        dwell, cpu_start_s = begin(recorder.clock_s()), time.process_time()
        while not dwell.is_over:
            gevent.sleep(_POLL_S)
            self._report(users, dwell.start_s)
            end_s = recorder.clock_s()
            dwell = watched(campaign, recorder.rows, dwell, end_s)
        cpu_share = (time.process_time() - cpu_start_s) / (recorder.clock_s() - dwell.begin_s)
        window = Window(dwell.start_s, end_s)
        return VisitWindow(users, window, recorder.in_flight, cpu_share, unsteady=dwell.unsteady)

    def _report(self, users: int, start_s: float) -> None:
        campaign, recorder = self.workload.campaign, self.workload.recorder
        elapsed_s = recorder.clock_s() - start_s
        outcomes = [row.outcome for row in rows_since(recorder.rows, start_s)]
        tick = LevelTicked(
            index=self._visits,
            users=users,
            elapsed_s=elapsed_s,
            max_dwell_s=campaign.max_dwell_s,
            attempts=len(outcomes),
            ok_per_s=outcomes.count("ok") / elapsed_s,
            unserved_share=1 - outcomes.count("ok") / max(1, len(outcomes)),
        )
        self.outputs.emit(tick)
