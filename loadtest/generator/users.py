"""A closed-loop user on Locust. Imported in the generator's process only: Locust patches sockets and threads."""

from dataclasses import dataclass, field
from typing import Any

import gevent
import numpy as np
from geventhttpclient.useragent import RetriesExceeded
from locust import FastHttpUser

from loadtest.generator.recorder import Recorder
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign
from loadtest.results.phases import STATED
from loadtest.results.records import RequestRow, classify, parse_server_timing
from loadtest.sagemaker.outcomes import is_rejected
from loadtest.sagemaker.signing import SignedHeaders

_NAME = "invoke"


@dataclass(slots=True)
class Workload:
    """What all users of one process share."""

    campaign: Campaign
    bodies: tuple[bytes, ...]
    recorder: Recorder
    arrivals: Arrivals
    """Of the level that is running."""
    signed: SignedHeaders | None = None
    """Of an endpoint of SageMaker; made before the first request."""
    present: set[int] = field(default_factory=set)
    """The numbers of the users that there are."""
    _ranks: dict[int, int] = field(default_factory=dict)

    def begin(self, arrivals: Arrivals, first: int = 0, step: int = 1) -> None:
        """From now on users draw from a level; `first` and `step` tell those of this process from those of others."""
        self._ranks = {number: first + step * rank for rank, number in enumerate(sorted(self.present))}
        self.arrivals = arrivals

    def prepare_signatures(self) -> None:
        """Before the first request; raises LoadTestError where this process has no credentials to sign with."""
        campaign = self.campaign
        if campaign.sagemaker_region is not None:
            url = campaign.url.rstrip("/") + campaign.path
            self.signed = SignedHeaders(url, campaign.headers, self.bodies, campaign.sagemaker_region)

    def headers(self, body: int) -> dict[str, str]:
        """Of the request with the body of this number."""
        if self.signed is not None:
            return self.signed.of(body)
        return {"Content-Type": "application/json", **self.campaign.headers}

    def rank(self, number: int) -> int:
        """The place of a user among those of the level, which is the same for every candidate."""
        return self._ranks.get(number, number)


def invoke(user: "ThinkingUser") -> None:
    """Locust task: send one request. The answer is recorded by `record`, which Locust calls with the outcome."""
    campaign = user.workload.campaign
    headers = user.workload.headers(user.body)
    context = {
        "user": user.number,
        "body": user.body,
        "think_s": user.think_s,
        "t_due_s": user.due_s,
        "t_send_s": user.workload.recorder.sent(),
        "is_sagemaker": user.workload.signed is not None,
    }
    user.client.post(
        campaign.path,
        name=_NAME,
        data=user.workload.bodies[user.body],
        headers=headers,
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
        self.number = self.workload.recorder.new_user()
        self.workload.present.add(self.number)
        self._draw()
        random = np.random.default_rng((self.workload.campaign.seed, self.number))
        pause_s = float(random.uniform(0, self.workload.campaign.think_time_s))
        self._plan(pause_s, self.number % len(self.workload.bodies))
        gevent.sleep(self.think_s)

    def on_stop(self) -> None:
        self.workload.present.discard(self.number)

    def wait_time(self) -> float:
        """Draw the next pause, s, and the body to send after it."""
        if self._arrivals is not self.workload.arrivals:
            self._draw()
        self._plan(next(self._pauses_s), next(self._bodies))
        return self.think_s

    def _plan(self, think_s: float, body: int) -> None:
        self.think_s, self.body = think_s, body
        self.due_s = self.workload.recorder.clock_s() + think_s

    def _draw(self) -> None:
        self._arrivals, rank = self.workload.arrivals, self.workload.rank(self.number)
        self._pauses_s = self._arrivals.pauses_s(rank)
        self._bodies = self._arrivals.bodies(len(self.workload.bodies), rank)


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
        rejected=_is_rejected(response, headers) if context["is_sagemaker"] else None,
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


def _is_rejected(response: Any, headers: Any) -> bool:
    return is_rejected(response.status_code, headers.get("x-amzn-errortype") or "", response.content or b"")
