"""The plan of a load client and its result; both are sent between processes as JSON."""

from collections import Counter

import msgspec
import numpy as np

from loadtest.generator.lean.connection import Outcome
from loadtest.plan.arrivals import Arrivals


class ClientPlan(msgspec.Struct, frozen=True, kw_only=True):
    """POST `bodies` in turn, again and again, for `seconds` or until `requests` were sent, whichever is first.

    A closed loop of `clients` without think time; with `arrivals` an open loop instead, for `seconds`.
    """

    host: str
    port: int
    path: str
    bodies: tuple[bytes, ...]
    headers: dict[str, str] = {}
    seconds: float | None = None
    requests: int | None = None
    clients: int = 16
    arrivals: Arrivals | None = None
    """Of an open loop."""
    max_connections: int = 2000
    """Of an open loop; what finds none free is recorded as "not sent"."""
    most_lag_s: float | None = None
    """Of an open loop; what could be sent only so much later than it was due is recorded as "not sent"."""
    tls: bool = False
    sagemaker_region: str | None = None
    """Where it is given, requests are signed for SageMaker in this region, and answers read as SageMaker means them."""
    timeout_s: float = 10.0
    """Of each request by itself."""
    keep_answers: bool = False

    def __post_init__(self) -> None:
        if self.seconds is None and (self.requests is None or self.arrivals is not None):
            raise ValueError("Give seconds, or for a closed loop requests, or it would never end.")


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request: when it was due, counted from the first, and how long after that it was over, and how."""

    due_s: float
    seconds: float
    body: int
    outcome: Outcome
    retry_after: bool
    lag_s: float = 0.0
    """How much later than due it was sent."""
    server_timing: str = ""
    rejected: bool | None = None
    """Of SageMaker: whether it, or the container behind it, refused the request."""


class ClientResult(msgspec.Struct, frozen=True):
    """Everything that happened, in the order in which requests were over.

    `seconds` is what was measured; `cpu_s` what the client itself took of its core. `answers` holds the last answer to
    each body, where the plan keeps answers.
    """

    records: list[Record]
    seconds: float
    cpu_s: float
    answers: dict[int, bytes]

    def in_time(self, outcome: Outcome = 200) -> list[Record]:
        """Requests with that outcome that were over before the end of what was measured."""
        return [r for r in self.records if r.outcome == outcome and r.due_s + r.seconds <= self.seconds]

    def figures(self) -> dict[str, object]:
        """Throughput and response times of what was answered 200, and how many requests ended in another way."""
        outcomes = Counter(str(record.outcome) for record in self.records)
        answered = self.in_time()
        return {
            "requests": len(self.records),
            "requests_per_s": len(answered) / self.seconds if self.seconds else 0.0,
            **percentiles_ms([record.seconds for record in self.records if record.outcome == 200]),
            "not_200": sum(outcomes.values()) - outcomes["200"],
            "outcomes": dict(outcomes),
            "client_us_per_request": self.cpu_s / max(1, len(self.records)) * 1e6,
        }


def percentiles_ms(seconds: list[float]) -> dict[str, float | None]:
    """p50, p95 and p99; None where there is nothing to take them of."""
    names = {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99}
    if not seconds:
        return dict.fromkeys(names)
    return {name: float(np.percentile(seconds, q)) * 1e3 for name, q in names.items()}
