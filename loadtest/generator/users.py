"""A closed-loop user on Locust. Imported in the generator's process only: Locust patches sockets and threads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gevent
import numpy as np
from geventhttpclient.useragent import RetriesExceeded
from locust import FastHttpUser

from loadtest.generator.recorder import Recorder
from loadtest.plan.settings import Campaign
from loadtest.results.phases import STATED
from loadtest.results.records import RequestRow, classify, parse_server_timing

_NAME = "invoke"


@dataclass(frozen=True, slots=True)
class Workload:
    """What all users of one generator share."""

    campaign: Campaign
    bodies: Iterator[tuple[int, bytes]]
    """With their numbers."""
    recorder: Recorder


def shuffled_forever(bodies: tuple[bytes, ...], seed: int) -> Iterator[tuple[int, bytes]]:
    """The bodies over and over in one seeded order, so that every candidate gets the same sequence."""
    order = np.random.default_rng(seed).permutation(len(bodies))
    while True:
        for place in order:
            yield int(place), bodies[place]


def invoke(user: "ThinkingUser") -> None:
    """Locust task: send one request. The answer is recorded by `record`, which Locust calls with the outcome."""
    campaign = user.workload.campaign
    number, body = next(user.workload.bodies)
    context = {
        "user": user.number,
        "body": number,
        "think_s": user.think_s,
        "t_due_s": user.due_s,
        "t_send_s": user.workload.recorder.sent(),
    }
    user.client.post(
        campaign.path,
        name=_NAME,
        data=body,
        headers={"Content-Type": "application/json", **campaign.headers},
        allow_redirects=False,
        context=context,
    )


class ThinkingUser(FastHttpUser):
    """Sends, waits, thinks; one keep-alive connection; never retries.

    A server that closes idle connections sooner than a user may think (uvicorn: 5 s) makes requests fail; set its
    keep-alive to ten think times.
    """

    workload: Workload
    tasks = [invoke]  # noqa: RUF012 - Locust's own declaration
    # Locust's default lets one user open ten connections; in a closed loop there is one.
    concurrency = 1
    # Locust's default would not check certificates.
    insecure = False

    def on_start(self) -> None:
        """Start at a random phase of the think time, so that a new level is no burst."""
        campaign = self.workload.campaign
        self.number = self.workload.recorder.new_user()
        self._rng = np.random.default_rng((campaign.seed, self.number))
        self.think_s = float(self._rng.uniform(0, campaign.think_time_s))
        self.due_s = self.workload.recorder.clock_s() + self.think_s
        gevent.sleep(self.think_s)

    def wait_time(self) -> float:
        """Draw the next pause, s."""
        self.think_s = float(self._rng.exponential(self.workload.campaign.think_time_s))
        self.due_s = self.workload.recorder.clock_s() + self.think_s
        return self.think_s


def record(
    recorder: Recorder, *, response: Any, response_time: float, exception: object, context: dict[str, Any]
) -> None:
    """Turn one Locust request event into a row; `response_time` is in ms."""
    headers = response.headers or {}
    # With no retries allowed, the client still wraps a timeout in the report that they are used up.
    cause = exception.original if isinstance(exception, RetriesExceeded) else exception
    timings = parse_server_timing(headers.get("server-timing") or "")
    outcome = classify(
        response.status_code,
        retry_after=headers.get("retry-after") is not None,
        timed_out=isinstance(cause, TimeoutError | gevent.Timeout),
        broken=exception is not None,
    )
    lag_ms = max(0.0, 1e3 * (context["t_send_s"] - context["t_due_s"]))
    row = RequestRow(
        user=context["user"],
        body=context["body"],
        think_s=context["think_s"],
        t_due_s=context["t_due_s"],
        lag_ms=lag_ms,
        response_ms=lag_ms + response_time,
        status=response.status_code,
        outcome=outcome,
        stated_ms=tuple(timings.get(name) for name in STATED),
    )
    recorder.answered(row)
