"""boto3's invoke_endpoint_with_response_stream, whose event stream botocore's own parser reads."""

import threading
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, EventStreamError

from serving.front.settings import VariantSpec
from tests.contract.boto3.clients import BODY, attempts, runtime
from tests.paretoserve.sagemaker.emulator.emulated import Asked, Handler, emulated, endpoint, scripted
from tests.serving.front_server import front

ONE = endpoint(["blue"])


def _stream(url: str, **asked: Any) -> Any:
    return runtime(url).invoke_endpoint_with_response_stream(EndpointName="local", Body=BODY, **asked)


def _bytes(event: Any) -> bytes:
    part: bytes = event["PayloadPart"]["Bytes"]
    return part


def test_a_server_of_ours_answers_in_parts_that_are_its_answer(echoes: list[VariantSpec]) -> None:
    with front(echoes[:1]) as server, emulated(ONE, str(server.http.base_url)) as url:
        answer = _stream(url, ContentType="application/json", Accept="application/json")
        assert (answer["InvokedProductionVariant"], answer["ContentType"]) == ("blue", "application/json")
        content = b"".join(map(_bytes, answer["Body"]))
        direct = server.http.post("/invocations", content=BODY, headers={"content-type": "application/json"})
        assert content == direct.content


def test_parts_come_while_the_container_still_writes() -> None:
    read = threading.Event()

    def answer(asked: Asked, handler: Handler) -> None:
        assert asked.headers["accept"] == "text/plain"
        handler.begin_chunks("text/plain")
        handler.chunk(b"first")
        read.wait()
        handler.chunk(b"\x00second\xff")
        handler.chunk(b"")

    with scripted(answer) as container, emulated(ONE, container.url) as url:
        events = iter(_stream(url, Accept="text/plain")["Body"])
        assert _bytes(next(events)) == b"first"
        read.set()
        assert [_bytes(event) for event in events] == [b"\x00second\xff"]


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [("broken", "StreamBroken", "could not get a response"), ("late", "ModelInvocationTimeExceeded", "timed out")],
)
def test_a_stream_that_breaks_ends_in_a_model_stream_error(fault: str, code: str, message: str) -> None:
    release = threading.Event()

    def answer(asked: Asked, handler: Handler) -> None:
        handler.begin_chunks("text/plain")
        handler.chunk(b"first")
        if fault == "late":
            release.wait()
        handler.break_off()

    described = endpoint(["blue"], timeout_s=0.5 if fault == "late" else 60.0)
    with scripted(answer) as container, emulated(described, container.url) as url:
        stream = _stream(url)["Body"]
        events = iter(stream)
        assert _bytes(next(events)) == b"first"
        with pytest.raises(EventStreamError, match="ModelStreamError") as caught:
            next(events)
        stream.close()
        # boto3 drops the code.
        with httpx.stream("POST", f"{url}/endpoints/local/invocations-response-stream", content=BODY) as raw:
            assert f'"ErrorCode": "{code}"'.encode() in raw.read()
        release.set()
    assert caught.value.response["Error"]["Code"] == "ModelStreamError"
    assert message in caught.value.response["Error"]["Message"]


def test_what_fails_before_the_first_part_is_a_model_error() -> None:
    with (
        scripted(lambda asked, handler: handler.reply(503, b"full")) as container,
        emulated(ONE, container.url) as url,
        pytest.raises(ClientError) as caught,
    ):
        _stream(url)
    assert caught.value.response["Error"]["Code"] == "ModelError"
    assert attempts(caught.value) == 1
