"""The users of a level, wherever they run: what the staircase tells them, and what it asks of them."""

import time
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import gevent

from loadtest.generator.health import PAUSE_S, Health
from loadtest.generator.users import Workload
from loadtest.plan.arrivals import Arrivals


class Closing(NamedTuple):
    """What a process that sends knows of a window when it closes."""

    in_flight: int
    cpu_share: float
    loop_lag_p99_ms: float


class Crowd(Protocol):
    def prepare(self) -> None:
        """Before the first level."""

    def begin(self, arrivals: Arrivals) -> None:
        """All users of a level are there, and draw from it from now on."""

    def open_window(self) -> None:
        """What is measured begins."""

    def close_window(self) -> Closing:
        """It ends; all requests that were over by then are in the recorder when this returns."""


@dataclass(slots=True)
class LocalCrowd:
    """Users of this process."""

    workload: Workload
    _health: Health | None = None
    _watch: gevent.Greenlet | None = None

    def prepare(self) -> None:
        pass

    def begin(self, arrivals: Arrivals) -> None:
        self.settle(round(arrivals.at))
        self.workload.begin(arrivals)

    def settle(self, users: int) -> None:
        """Wait until all have begun: Locust counts a user before it has run its first line."""
        while len(self.workload.present) != users:
            gevent.sleep(PAUSE_S)

    def open_window(self) -> None:
        self._health = Health()
        self._watch = gevent.spawn(_watch, self._health)

    def close_window(self) -> Closing:
        assert self._health is not None, "this is a bug: a window is opened before it is closed"
        self._health.close()
        gevent.kill(self._watch)
        in_flight = self.workload.recorder.in_flight
        return Closing(in_flight, self._health.cpu_share, self._health.loop_lag_p99_ms)


def _watch(health: Health) -> None:
    while True:
        before_s = time.perf_counter()
        gevent.sleep(PAUSE_S)
        health.overslept(time.perf_counter() - before_s)
