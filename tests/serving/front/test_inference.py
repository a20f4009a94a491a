"""What the routes do where a real server cannot be brought to: a bug of our own in the front."""

import asyncio
import logging
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from serving.cpu_plan import make_plan
from serving.front.byte_budget import ByteBudget
from serving.front.inference import Inference
from serving.front.metrics import Metrics
from serving.front.raw_answer import status_of_answer
from serving.front.request_log import RequestLog
from serving.front.settings import Settings, VariantSpec
from serving.front.variant import ServedVariant
from tests.serving.fake_replica import fakes


@pytest.mark.parametrize(("length", "status"), [(b"30", None), (b"31", 429), (b"101", None)])
def test_a_body_that_does_not_fit_into_the_budget_is_refused_by_its_headers(length: bytes, status: int | None) -> None:
    """One that is over the limit of a body is read, and answered so."""

    async def refuse() -> bytes | None:
        metrics = Metrics()
        spec, plan = VariantSpec("one", Path(), "torch"), make_plan((0,), 1)
        variant = ServedVariant(spec, Settings(), "", metrics.of("one", "torch"), fakes(Settings(), plan))
        routes = Inference(lambda _: variant, 100, metrics, RequestLog(), budget=ByteBudget(130))
        routes.budget.hold(100)
        answer = routes.refuse_early({b"content-length": length}, "one", "invocations", lambda: True)
        assert routes.budget.held_bytes == 100
        return answer

    answer = asyncio.run(refuse())
    assert (status_of_answer(answer) if answer else None) == status
    assert answer is None or (b"bytes in flight" in answer and b"retry-after: 1\r\n" in answer)


def test_a_bug_in_the_front_is_answered_with_the_id_and_logged_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def find(name: str) -> ServedVariant:
        raise RuntimeError(name)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    sent: list[MutableMapping[str, Any]] = []
    metrics = Metrics()
    routes = Inference(find, 10, metrics, RequestLog())
    with caplog.at_level(logging.INFO, "paretoserve.requests"):
        asyncio.run(routes.handle({}, {b"x-request-id": b"my-id"}, receive, send, "private", "invocations"))
    start, body = sent
    assert (start["status"], dict(start["headers"])[b"x-request-id"]) == (500, b"my-id")
    assert b"Internal error" in body["body"]
    (record,) = caplog.records
    told = vars(record)
    assert (record.levelname, told["request_id"], told["error"]) == ("ERROR", "my-id", "RuntimeError")
    assert "in find" in told["exception"]
    assert "private" not in str(told)
    labels = {"variant": "unknown", "backend": "", "code": "500"}
    assert metrics.registry.get_sample_value("paretoserve_requests_total", labels) == 1
