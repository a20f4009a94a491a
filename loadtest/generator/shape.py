"""Steps the users through the levels on Locust. Imported in the generator's process only."""

from collections.abc import Callable
from typing import TypeVar

import gevent
from locust import LoadTestShape

from loadtest.generator.crowd import Crowd
from loadtest.generator.events import LevelDone, LevelStarted
from loadtest.generator.health import no_garbage_collection
from loadtest.generator.outputs import Level, Outputs, Tally
from loadtest.generator.recorder import Recorder
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign
from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult, VisitWindow, Window
from loadtest.results.request_log import append_rows
from loadtest.statistics.levels import VisitRows, in_window, summarise_visits, visit_rows
from loadtest.statistics.search import next_level
from loadtest.statistics.steadiness import begin, watched

_POLL_S = 0.5
# For users to start or stop, beyond the time that is planned for it.
_PATIENCE_S = 60.0

T = TypeVar("T")


class Staircase(LoadTestShape):
    """Visits the levels that `next_level` names.

    Locust calls `tick` at most once a second, which is too coarse for a window's edges. So each `tick` measures the
    level that is running, from start to end in its own greenlet, and then returns the next one.
    """

    def __init__(self, campaign: Campaign, recorder: Recorder, crowd: Crowd, outputs: Outputs) -> None:
        super().__init__()
        self._campaign, self._recorder, self._crowd, self._outputs = campaign, recorder, crowd, outputs
        self._visits = 0
        self._seen: dict[int, list[VisitRows]] = {}
        self._done: dict[int, LevelResult] = {}
        self._users: int | None = None
        self._begun_s = 0.0

    def tick(self) -> tuple[int, float] | None:
        """Measure the current level, then name the next one with the users to start per second."""
        campaign = self._campaign
        if self._users is None:
            self._crowd.prepare()
            self._begun_s = self._recorder.clock_s()
        else:
            self._done[self._users] = self._measure(self._users)
        searched_s = self._recorder.clock_s() - self._begun_s
        previous, self._users = self._users or 0, next_level(campaign, list(self._done.values()), searched_s)
        if self._users is None:
            return None
        planned = len(campaign.levels) if campaign.exact_levels and campaign.levels != "auto" else None
        self._outputs.emit(LevelStarted(self._visits, self._users, planned))
        return self._users, max(1.0, abs(self._users - previous) / campaign.ramp_s)

    def _measure(self, users: int) -> LevelResult:
        campaign, seen = self._campaign, self._seen.setdefault(users, [])
        self._await(users)
        self._crowd.begin(Arrivals("closed", users, campaign.think_time_s, campaign.seed, len(seen)))
        with no_garbage_collection():
            gevent.sleep(max(campaign.settle_s, 3 * campaign.think_time_s))
            visit = self._dwell(users)
        rows = self._recorder.take()
        marked = ((in_window(row, visit.window), row) for row in rows)
        append_rows(self._outputs.requests, self._visits, users, marked)
        seen.append(visit_rows(visit, rows))
        result = summarise_visits(seen, campaign.slo)
        self._outputs.emit(LevelDone(self._visits, result))
        self._visits += 1
        return result

    def _await(self, users: int) -> None:
        until_s = self._recorder.clock_s() + self._campaign.ramp_s + self._campaign.timeout_s + _PATIENCE_S
        while (there := self.get_current_user_count()) != users:
            if self._recorder.clock_s() > until_s:
                raise LoadTestError(f"There are {there} users instead of {users}; look into the generator's log.")
            gevent.sleep(_POLL_S / 5)

    def _dwell(self, users: int) -> VisitWindow:
        campaign, recorder = self._campaign, self._recorder
        self._crowd.open_window()
        dwell, tally = begin(recorder.clock_s()), self._tally(users)
        while not dwell.is_over:
            gevent.sleep(_POLL_S)
            tally.add((row.outcome == "ok", row.response_ms) for row in recorder.rows[tally.seen :])
            self._outputs.emit(tally.ticked(recorder.clock_s() - dwell.begin_s))
            end_s = recorder.clock_s()
            dwell = _aside(watched, campaign, recorder.rows[:], dwell, end_s)
        closing = self._crowd.close_window()
        return VisitWindow(
            at=users,
            window=Window(dwell.start_s, end_s),
            in_flight=closing.in_flight,
            generator_cpu_share=closing.cpu_share,
            loop_lag_p99_ms=closing.loop_lag_p99_ms,
            unsteady=dwell.unsteady,
        )

    def _tally(self, users: int) -> Tally:
        return Tally(Level(self._visits, self._campaign.max_dwell_s, users), len(self._recorder.rows))


def _aside(function: Callable[..., T], *arguments: object) -> T:
    """Call it in a thread, so that users do not wait for what it computes."""
    found: T = gevent.get_hub().threadpool.apply(function, arguments)
    return found
