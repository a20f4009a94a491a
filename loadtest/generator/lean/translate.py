"""Between a campaign and the lean client: from settings to a plan, and from its records to rows of the request log."""

from collections.abc import Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from loadtest.generator.lean.plan import ClientPlan, Record
from loadtest.plan.arrivals import Arrivals
from loadtest.plan.settings import Campaign
from loadtest.results.phases import STATED
from loadtest.results.records import NOTHING_STATED, Outcome, RequestRow, classify, parse_server_timing


def order_of(arrivals: Arrivals, count: int) -> list[int]:
    """The numbers of `count` bodies in the order in which they are sent."""
    return list(islice(arrivals.bodies(count), count))


def plan_of(campaign: Campaign, bodies: Sequence[bytes], **how: Any) -> ClientPlan:
    """What the client is to do at the endpoint of a campaign; `how` are further fields of ClientPlan."""
    url = urlsplit(campaign.url)
    assert url.hostname, "this is a bug: a campaign has an address"
    tls = url.scheme == "https"
    return ClientPlan(
        host=url.hostname,
        port=url.port or (443 if tls else 80),
        tls=tls,
        path=url.path.rstrip("/") + campaign.path,
        bodies=tuple(bodies),
        headers=campaign.headers,
        max_connections=campaign.max_connections,
        most_lag_s=campaign.most_lag_s,
        timeout_s=campaign.timeout_s,
        sagemaker_region=campaign.sagemaker_region,
        **how,
    )


def rows_of(records: Sequence[Record], order: Sequence[int], begun_s: float) -> list[RequestRow]:
    """The requests that were sent, in the order of their answers, each with its number in place of a user.

    `order` has the numbers of the bodies as the plan has them; `begun_s` is when the loop began, on the clock of the
    rows.
    """
    numbers = {due_s: number for number, due_s in enumerate(sorted(record.due_s for record in records))}
    return [
        RequestRow(
            user=numbers[record.due_s],
            body=order[record.body],
            think_s=0.0,
            t_due_s=begun_s + record.due_s,
            lag_ms=1e3 * record.lag_s,
            response_ms=1e3 * record.seconds,
            status=_status(record),
            outcome=_outcome(record),
            stated_ms=_stated(record.server_timing),
        )
        for record in records
        if record.outcome != "not sent"
    ]


def is_ok(record: Record) -> bool:
    return 200 <= _status(record) < 300


def _status(record: Record) -> int:
    return record.outcome if isinstance(record.outcome, int) else 0


def _outcome(record: Record) -> Outcome:
    return classify(
        _status(record),
        retry_after=record.retry_after,
        timed_out=record.outcome == "timeout",
        broken=record.outcome == "connection error",
        rejected=record.rejected,
    )


def _stated(header: str) -> tuple[float | None, ...]:
    if not header:
        return NOTHING_STATED
    timings = parse_server_timing(header)
    return tuple(timings.get(name) for name in STATED)
