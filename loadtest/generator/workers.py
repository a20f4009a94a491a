"""Users in several processes, on this machine or on others, by Locust's master and workers.

The master sends no requests: it tells the workers what a level is, and they send it their rows twice a second. Each row
counts on its worker's clock, whose distance from the master's is measured before each level, by messages there and
back, and taken off.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent

from loadtest.generator.clocks import Clock, check_clocks, clock_of, moved
from loadtest.generator.crowd import Closing, LocalCrowd
from loadtest.generator.recorder import Recorder
from loadtest.generator.users import Workload
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign, decode_campaign, encode_campaign
from loadtest.results.errors import LoadTestError
from loadtest.results.records import RequestRow

# So many to each worker for its clock.
_MESSAGES = 10

_ROWS_EVERY_S = 0.5
_PATIENCE_S = 15.0
_WORK, _LEVEL, _OPEN, _CLOSE = "loadtest-work", "loadtest-level", "loadtest-open", "loadtest-close"
_CLOCK, _ROWS, _DONE = "loadtest-clock", "loadtest-rows", "loadtest-done"


@dataclass(slots=True)
class RemoteCrowd:
    """Users of workers, as the master sees them. `runner` is Locust's."""

    campaign: Campaign
    bodies: tuple[bytes, ...]
    recorder: Recorder
    runner: Any
    _workers: list[str] = field(default_factory=list)
    _clocks: dict[str, Clock] = field(default_factory=dict)
    _answers: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.runner.register_message(_ROWS, self._take_rows)
        self.runner.register_message(_CLOCK, self._take_answer)
        self.runner.register_message(_DONE, self._take_answer)

    def prepare(self) -> None:
        """Give all workers what to send, and measure their clocks."""
        self._workers = sorted(self.runner.clients)
        work = {"campaign": encode_campaign(self.campaign), "bodies": self.bodies}
        self._ask(_WORK, lambda worker: work)
        self._set_clocks()

    def begin(self, arrivals: Arrivals) -> None:
        self._set_clocks()
        # The one with most users comes first, so that the places of users are 0 to N - 1 however Locust spreads them.
        order = sorted(self._workers, key=lambda worker: (-self.runner.clients[worker].user_count, worker))
        level = {"at": arrivals.at, "visit": arrivals.visit, "step": len(order)}
        self._ask(_LEVEL, lambda worker: {**level, "first": order.index(worker)})

    def open_window(self) -> None:
        self._ask(_OPEN, lambda worker: None)

    def close_window(self) -> Closing:
        found = [Closing(*answer) for answer in self._ask(_CLOSE, lambda worker: None)]
        return Closing(
            in_flight=sum(one.in_flight for one in found),
            cpu_share=max(one.cpu_share for one in found),
            loop_lag_p99_ms=max(one.loop_lag_p99_ms for one in found),
        )

    def _set_clocks(self) -> None:
        exchanges: dict[str, list[tuple[float, float, float]]] = {worker: [] for worker in self._workers}
        for worker in self._workers * _MESSAGES:
            sent_s = self.recorder.clock_s()
            (there_s,) = self._ask(_CLOCK, lambda worker: None, [worker])
            exchanges[worker].append((sent_s, self.recorder.clock_s(), there_s))
        self._clocks = {worker: clock_of(found) for worker, found in exchanges.items()}
        check_clocks(self._clocks.values())

    def _ask(self, kind: str, what: Callable[[str], Any], workers: list[str] | None = None) -> list[Any]:
        """Send each worker a message and wait for all answers, in the order of the workers."""
        asked = self._workers if workers is None else workers
        self._answers.clear()
        for worker in asked:
            self.runner.send_message(kind, what(worker), worker)
        until_s = self.recorder.clock_s() + _PATIENCE_S
        while len(self._answers) < len(asked):
            if self.recorder.clock_s() > until_s:
                silent = len(asked) - len(self._answers)
                raise LoadTestError(f"{silent} of {len(asked)} workers do not answer; look into their logs.")
            gevent.sleep(0)
        return [self._answers[worker] for worker in asked]

    def _take_answer(self, *, msg: Any, **_: object) -> None:
        self._answers[msg.node_id] = msg.data

    def _take_rows(self, *, msg: Any, **_: object) -> None:
        clock, worker = self._clocks[msg.node_id], self._workers.index(msg.node_id)
        rows = [RequestRow._make((*cells[:-1], tuple(cells[-1]))) for cells in msg.data]
        self.recorder.rows += [moved(row, clock, worker, len(self._workers)) for row in rows]
        self.recorder.rows.sort(key=lambda row: row.t_done_s)


@dataclass(slots=True)
class Worker:
    """Does what the master of a campaign says; one that runs no campaign says nothing."""

    workload: Workload
    runner: Any
    on_work: Callable[[Workload], None]
    """Called once with the workload of the campaign."""
    _crowd: LocalCrowd = field(init=False)

    def __post_init__(self) -> None:
        self._crowd = LocalCrowd(self.workload)
        self.runner.register_message(_CLOCK, self._tell_clock)
        for kind, listener in ((_WORK, self._work), (_LEVEL, self._level), (_OPEN, self._open), (_CLOSE, self._close)):
            self.runner.register_message(kind, listener, concurrent=True)

    def _tell_clock(self, **_: object) -> None:
        self.runner.send_message(_CLOCK, self.workload.recorder.clock_s())

    def _work(self, *, msg: Any, **_: object) -> None:
        self.workload.campaign = decode_campaign(msg.data["campaign"])
        self.workload.bodies = tuple(msg.data["bodies"])
        self.on_work(self.workload)
        gevent.spawn(self._send_rows_forever)
        self.runner.send_message(_DONE)

    def _level(self, *, msg: Any, **_: object) -> None:
        campaign, level = self.workload.campaign, msg.data
        arrivals = Arrivals("closed", level["at"], campaign.think_time_s, campaign.seed, level["visit"])
        self._crowd.settle(self.runner.user_count)
        self.workload.begin(arrivals, level["first"], level["step"])
        self.runner.send_message(_DONE)

    def _open(self, **_: object) -> None:
        self._crowd.open_window()
        self.runner.send_message(_DONE)

    def _close(self, **_: object) -> None:
        closing = self._crowd.close_window()
        # Messages keep their order: the rows are there before the answer.
        self._send_rows()
        self.runner.send_message(_DONE, closing)

    def _send_rows_forever(self) -> None:
        while True:
            gevent.sleep(_ROWS_EVERY_S)
            self._send_rows()

    def _send_rows(self) -> None:
        if rows := self.workload.recorder.take():
            self.runner.send_message(_ROWS, rows)
