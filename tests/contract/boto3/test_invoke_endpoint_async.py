"""boto3's invoke_endpoint_async, with moto for S3."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from tests.contract.boto3.clients import BODY, attempts, runtime
from tests.paretoserve.sagemaker.emulator.emulated import Asked, Handler, emulated, endpoint, scripted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Bucket(NamedTuple):
    s3: "S3Client"

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket="bucket", Key=key, Body=body)
        return f"s3://bucket/{key}"

    def wait_for(self, location: str) -> tuple[bytes, str]:
        """The object there, once it is, and its type."""
        key = location.removeprefix("s3://bucket/")
        while not any(one["Key"] == key for one in self.s3.list_objects_v2(Bucket="bucket").get("Contents", ())):
            time.sleep(0.01)
        found = self.s3.get_object(Bucket="bucket", Key=key)
        return found["Body"].read(), found["ContentType"]


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    environment = {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "us-east-1"}
    for name, value in {**environment, "ENDPOINT_URL_S3": s3_url}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client: S3Client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    return Bucket(client)


ASYNC = endpoint(["blue"], async_output="s3://bucket/out/", async_failure="s3://bucket/failed")


def _echo(asked: Asked, handler: Handler) -> None:
    if asked.body == b"fail":
        handler.reply(500, b"it failed")
    else:
        handler.reply(200, asked.body, content_type=asked.headers["content-type"])


@pytest.fixture
def url() -> Iterator[str]:
    with scripted(_echo) as container, emulated(ASYNC, container.url) as address:
        yield address


def _asked(url: str, **asked: Any) -> Any:
    return runtime(url).invoke_endpoint_async(**{"EndpointName": "local", "ContentType": "text/plain", **asked})


def test_input_and_output_lie_in_s3(bucket: Bucket, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("url")
    answer = _asked(url, InputLocation=bucket.put("in/one ü.json", BODY), InferenceId="mine")
    assert answer["InferenceId"] == "mine"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert answer["OutputLocation"].startswith("s3://bucket/out/")
    assert answer["FailureLocation"].startswith("s3://bucket/failed/")
    assert bucket.wait_for(answer["OutputLocation"]) == (BODY, "text/plain")


def test_a_body_may_come_with_the_request_and_the_output_have_a_name(
    bucket: Bucket, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("url")
    answer = _asked(url, Body=BODY, S3OutputPathExtension="a/b", Filename="mine.json")
    assert answer["OutputLocation"] == "s3://bucket/out/a/b/mine.json"
    assert bucket.wait_for(answer["OutputLocation"])[0] == BODY


@pytest.mark.parametrize(("asked", "reason"), [("fail", "it failed"), ("gone", "cannot be read")])
def test_what_fails_leaves_its_reason(bucket: Bucket, request: pytest.FixtureRequest, asked: str, reason: str) -> None:
    url = request.getfixturevalue("url")
    location = bucket.put("in/fail", b"fail") if asked == "fail" else "s3://bucket/nowhere"
    answer = _asked(url, InputLocation=location)
    body, _ = bucket.wait_for(answer["FailureLocation"])
    assert reason in body.decode()
    assert "Traceback" not in body.decode()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"InputLocation": "https://elsewhere/x"}, "Invalid InputLocation"),
        ({}, "either InputLocation or Body"),
        ({"InputLocation": "s3://b/k", "Body": b"x"}, "either InputLocation or Body"),
        ({"Body": b"x" * 128_001}, "over the limit of 128000 bytes"),
        ({"Body": b"x", "Filename": "../x"}, "filename"),
        ({"Body": b"x", "S3OutputPathExtension": "s3://other"}, "s3outputpathextension"),
        ({"Body": b"x", "RequestTTLSeconds": 21601}, "between 60 and 21600"),
        ({"Body": b"x", "InvocationTimeoutSeconds": 3601}, "between 1 and 3600"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    bucket: Bucket, request: pytest.FixtureRequest, asked: dict[str, Any], message: str
) -> None:
    url = request.getfixturevalue("url")
    with pytest.raises(ClientError) as caught:
        _asked(url, **asked)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert message in caught.value.response["Error"]["Message"]
    assert attempts(caught.value) == 1


def test_an_endpoint_without_a_folder_for_answers_is_not_asynchronous() -> None:
    with (
        scripted(_echo) as container,
        emulated(endpoint(["blue"]), container.url) as url,
        pytest.raises(ClientError, match="is not asynchronous") as caught,
    ):
        _asked(url, Body=BODY)
    assert caught.value.response["Error"]["Code"] == "ValidationError"
