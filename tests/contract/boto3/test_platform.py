"""What boto3 gets from the platform around a container, which here does as each test says."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.contract.boto3.clients import BODY, attempts, counting, runtime
from tests.paretoserve.sagemaker.emulator.emulated import (
    Asked,
    Handler,
    description,
    emulated,
    endpoint,
    scripted,
)
from tests.serving.front_server import until

ONE = endpoint(["blue"])
PREFIX = "x-amzn-sagemaker-"


def _echo(asked: Asked, handler: Handler) -> None:
    handler.reply(200, asked.body, content_type="application/json")


def _error(client: Any, **asked: Any) -> Any:
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(**{"EndpointName": "local", "Body": BODY, **asked})
    return caught.value


def test_attributes_and_ids_go_both_ways_and_nothing_else_reaches_the_container() -> None:
    def answer(asked: Asked, handler: Handler) -> None:
        told = {f"{PREFIX}custom-attributes": "seen=1", f"{PREFIX}new-session-id": "s-1", "x-secret": "inside"}
        handler.reply(200, b"yes", content_type="text/plain", **told)

    with scripted(answer) as container, emulated(ONE, container.url) as url:
        got = runtime(url).invoke_endpoint(
            EndpointName="local",
            Body=BODY,
            ContentType="application/json",
            Accept="text/plain",
            CustomAttributes="trace=7, user=x",
            InferenceId="id 7",
            SessionId="NEW_SESSION",
        )
        (asked,) = container.asked
    assert asked.body == BODY
    assert {name: value for name, value in asked.headers.items() if name not in ("host", "content-length")} == {
        "content-type": "application/json",
        "accept": "text/plain",
        f"{PREFIX}custom-attributes": "trace=7, user=x",
        f"{PREFIX}inference-id": "id 7",
        f"{PREFIX}session-id": "NEW_SESSION",
        f"{PREFIX}target-variant": "blue",
    }
    assert (got["CustomAttributes"], got["NewSessionId"], got["ContentType"]) == ("seen=1", "s-1", "text/plain")
    assert "x-secret" not in got["ResponseMetadata"]["HTTPHeaders"]


def test_a_client_that_names_no_content_type_sends_none_to_the_container() -> None:
    with scripted(_echo) as container, emulated(ONE, container.url) as url:
        runtime(url).invoke_endpoint(EndpointName="local", Body=BODY)
        (asked,) = container.asked
    assert not {"content-type", "accept"} & set(asked.headers)


@pytest.mark.parametrize(("mode", "times"), [("legacy", 5), ("standard", 3)])
def test_above_its_concurrency_an_endpoint_throttles_and_boto3_tries_again(mode: str, times: int) -> None:
    release = threading.Event()

    def answer(asked: Asked, handler: Handler) -> None:
        release.wait()
        _echo(asked, handler)

    described = endpoint(["blue"], max_concurrent=1)
    with scripted(answer) as container, emulated(described, container.url) as url, ThreadPoolExecutor() as threads:
        waiting = threads.submit(runtime(url).invoke_endpoint, EndpointName="local", Body=BODY)
        until(lambda: container.asked)
        client = runtime(url, retries={"mode": mode})
        sent = counting(client)
        error = _error(client)
        release.set()
        assert waiting.result()["Body"].read() == BODY
        # The place is free again.
        assert client.invoke_endpoint(EndpointName="local", Body=BODY)["Body"].read() == BODY
    assert error.response["Error"]["Code"] == "ThrottlingException"
    assert error.response["Error"].get("Message") is None
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert attempts(error) == times
    assert sent() == times + 1


@pytest.mark.parametrize(
    ("kind", "name", "status", "mode", "times"),
    [
        ("real-time", "ValidationError", 400, "legacy", 1),
        ("serverless", "ModelNotReadyException", 429, "legacy", 5),
        ("serverless", "ModelNotReadyException", 429, "standard", 1),
    ],
)
def test_an_endpoint_that_loads_says_so_as_its_kind_does(
    kind: str, name: str, status: int, mode: str, times: int
) -> None:
    with scripted(_echo) as container:
        container.is_ready = False
        with emulated(endpoint(["blue"], kind=kind), container.url, wait=False) as url:
            error = _error(runtime(url, retries={"mode": mode}))
            container.is_ready = True
            until(lambda: httpx.get(f"{url}/ping").status_code == 200)
            assert runtime(url).invoke_endpoint(EndpointName="local", Body=BODY)["Body"].read() == BODY
            # One that was in service hands on what its container says later.
            container.is_ready = False
            assert runtime(url).invoke_endpoint(EndpointName="local", Body=BODY)["Body"].read() == BODY
    assert error.response["Error"]["Code"] == name
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert attempts(error) == times


@pytest.mark.parametrize("status", [301, 400, 404, 413, 429, 500, 503, 507])
def test_every_error_of_a_container_is_a_model_error(status: int) -> None:
    # As MMS and TorchServe put it; the number would be taken for the error's name.
    body = json.dumps({"code": status, "type": "InternalServerException", "message": "no"}).encode()
    with (
        scripted(lambda asked, handler: handler.reply(status, body, retry_after="1")) as container,
        emulated(ONE, container.url) as url,
    ):
        error = _error(runtime(url))
        assert len(container.asked) == 1
    assert error.response["Error"]["Code"] == "ModelError"
    assert (error.response["OriginalStatusCode"], error.response["OriginalMessage"]) == (status, body.decode())


def test_a_long_message_of_a_container_is_cut_where_the_service_cuts_it() -> None:
    with (
        scripted(lambda asked, handler: handler.reply(500, b"x" * 100_000)) as container,
        emulated(ONE, container.url) as url,
    ):
        error = _error(runtime(url))
    assert len(error.response["OriginalMessage"]) == 2048
    assert len(error.response["Error"]["Message"]) <= 2048


@pytest.mark.parametrize("fault", ["late", "broken off", "gone", "too large"])
def test_an_answer_that_cannot_be_used_is_a_model_error_without_a_status(fault: str) -> None:
    release = threading.Event()

    def answer(asked: Asked, handler: Handler) -> None:
        match fault:
            case "late":
                release.wait()
            case "broken off":
                handler.send_response(200)
                handler.send_header("content-length", "100")
                handler.end_headers()
                handler.break_off()
            case "gone":
                handler.break_off()
            case "too large":
                handler.reply(200, b"x" * (6 * 1024 * 1024 + 1))

    described = endpoint(["blue"], timeout_s=0.3 if fault == "late" else 60.0)
    with scripted(answer) as container, emulated(described, container.url) as url:
        error = _error(runtime(url))
        release.set()
        assert len(container.asked) == 1
    assert error.response["Error"]["Code"] == "ModelError"
    assert error.response["OriginalStatusCode"] == 0
    assert ("timed out" in error.response["OriginalMessage"]) == (fault == "late")


def test_a_container_that_is_gone_is_a_model_error_too() -> None:
    with scripted(_echo) as container, emulated(ONE, container.url) as url:
        container.__exit__()
        error = _error(runtime(url))
    assert error.response["OriginalStatusCode"] == 0
    assert "could not get a response from the local endpoint" in error.response["OriginalMessage"]


def test_a_shadow_that_hangs_neither_delays_nor_fails_a_request() -> None:
    release = threading.Event()

    def answer(asked: Asked, handler: Handler) -> None:
        if asked.headers[f"{PREFIX}target-variant"] == "grey":
            release.wait()
        _echo(asked, handler)

    with scripted(answer) as container, emulated(endpoint(["blue", "grey"], shadow="grey"), container.url) as url:
        client = runtime(url)
        for _ in range(40):
            got = client.invoke_endpoint(EndpointName="local", Body=BODY)
            assert (got["Body"].read(), got["InvokedProductionVariant"]) == (BODY, "blue")
        # Copies are bounded, and those beyond are dropped.
        assert description(url)["shadow"] == {"answered": 0, "failed": 0, "dropped": 8}
        release.set()
        until(lambda: description(url)["shadow"]["answered"] == 32)


def test_an_operation_that_there_is_not_is_no_crash_of_boto3() -> None:
    with scripted(_echo) as container, emulated(ONE, container.url) as url:
        error = _error(runtime(f"{url}/elsewhere"))
        assert error.response["Error"]["Code"] == "UnknownOperationException"
        # A page that has its name lead here is refused; boto3's own Host is not.
        answer = httpx.post(f"{url}/endpoints/local/invocations", headers={"host": "evil.example"}, content=BODY)
        assert (answer.status_code, answer.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
