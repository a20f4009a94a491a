"""What the routes do where a real server cannot be brought to: a bug of our own in the front."""

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

import pytest

from serving.front.inference import Inference
from serving.front.metrics import Metrics
from serving.front.request_log import RequestLog
from serving.front.variant import ServedVariant


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
