"""Headers between clients and a variant's own code, through the front; what own code makes of them is its handler's."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from serving.cpu_plan import make_plan, usable_cores
from serving.front.app import Front, make_app
from serving.front.metrics import Metrics
from serving.front.own_headers import for_own_code, of_own_code
from serving.front.server import make_repository
from serving.front.settings import Settings, VariantSpec
from serving.wire.messages import Ask, Reply
from tests.serving.fake_replica import FakeReplica
from tests.serving.front_server import becomes

CUSTOM, NEW, CLOSED = (
    f"x-amzn-sagemaker-{name}" for name in ("custom-attributes", "new-session-id", "closed-session-id")
)


def test_own_code_sees_sagemakers_headers_and_those_of_the_body_and_no_others() -> None:
    headers = {
        b"x-amzn-sagemaker-inference-id": b"i-1",
        b"x-amzn-sagemaker-session-id": b"s-1",
        b"x-amzn-sagemaker-custom-attributes": b"a=\xe9",
        b"content-type": b"text/csv",
        b"authorization": b"Bearer secret",
        b"cookie": b"secret",
    }
    assert for_own_code(headers) == {
        "x-amzn-sagemaker-inference-id": "i-1",
        "x-amzn-sagemaker-session-id": "s-1",
        "x-amzn-sagemaker-custom-attributes": "a=é",
        "content-type": "text/csv",
    }


def test_a_header_that_is_the_servers_own_or_would_begin_another_one_is_not_sent() -> None:
    given = [
        ("X-Mine", "é"),
        ("Content-Length", "7"),
        ("x-two", "a\r\nSet-Cookie: b"),
        ("no header", "c"),
        ("x-far", "\u20ac"),
        ("Connection", "close"),
    ]
    assert of_own_code(given) == [(b"x-mine", b"\xe9")]


def answered(reply: dict[str, Any], **headers: str) -> tuple[Ask, httpx.Response]:
    """What a replica was asked, and what its client was answered."""

    async def work() -> tuple[Ask, httpx.Response]:
        made: list[FakeReplica] = []

        def hosts(spec: VariantSpec, listener: Any) -> FakeReplica:
            made.append(FakeReplica(spec, listener))
            return made[-1]

        settings, metrics = Settings(), Metrics()
        plan = make_plan(usable_cores(), 1)
        repository = make_repository(settings, plan, metrics, hosts=lambda *_: hosts)
        repository.add(VariantSpec("own", Path("own"), "fake"))
        repository.start()
        made[0].become_ready()
        app: Any = make_app(Front(repository, settings, metrics))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server") as http:
            asking = asyncio.create_task(http.post("/invocations", content=b"{}", headers=headers))
            await becomes(lambda: made[0].asked)
            ((number, (ask, _)),) = made[0].asked.items()
            made[0].answer(number, Reply(number, **reply))
            answer = await asking
        await repository.stop()
        return ask, answer

    return asyncio.run(work())


def test_custom_attributes_and_session_headers_go_both_ways() -> None:
    told = {"body": b"{}", "content_type": "application/json", "headers": ((CUSTOM, "c=3"), (NEW, "s-1; x"))}
    ask, answer = answered(told, **{"X-Amzn-SageMaker-Custom-Attributes": "a=1", "X-Amzn-SageMaker-Inference-Id": "i"})
    assert (ask.headers[CUSTOM], ask.headers["x-amzn-sagemaker-inference-id"]) == ("a=1", "i")
    assert (answer.headers[CUSTOM], answer.headers[NEW]) == ("c=3", "s-1; x")
    assert CLOSED not in answer.headers


def test_custom_attributes_that_the_model_does_not_set_are_not_returned() -> None:
    _, answer = answered({"body": b"{}", "content_type": "application/json"}, **{CUSTOM: "a=1"})
    assert CUSTOM not in answer.headers


def test_a_status_that_own_code_set_is_the_answers_and_one_that_is_none_is_not() -> None:
    assert answered({"body": b"x", "content_type": "text/plain", "status": 418})[1].status_code == 418
    assert answered({"body": b"x", "content_type": "text/plain", "status": 99})[1].status_code == 200
    refused = answered({"error": "BackendError", "message": "no", "status": 422})[1]
    assert (refused.status_code, refused.json()["error"]) == (422, "no")
