"""boto3's invoke_endpoint, unchanged, against the emulator in front of a real server."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from serving.front.settings import VariantSpec
from tests.contract.boto3.clients import BODY, attempts, counting, runtime
from tests.paretoserve.sagemaker.emulator.emulated import description, emulated, endpoint
from tests.serving.front_server import GatedModel, front, spec, until
from tests.tiny import TEXTS

JSON = "application/json"


@pytest.fixture(scope="module")
def two(echoes: list[VariantSpec]) -> Iterator[str]:
    with (
        front(echoes[:2]) as server,
        emulated(endpoint(["blue", "green"], ["blue=3"]), str(server.http.base_url)) as url,
    ):
        yield url


def test_a_tiny_variant_answers_as_its_own_server_does(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With nothing but the environment that AWS's own documentation names."""
    with front([spec(dense)]) as server, emulated(endpoint(["dense"]), str(server.http.base_url)) as url:
        for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b", "DEFAULT_REGION": "eu-west-1"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        body = json.dumps({"inputs": TEXTS[0][0]}).encode()
        answer = boto3.client("sagemaker-runtime").invoke_endpoint(
            EndpointName="local", ContentType=JSON, Accept=JSON, Body=body
        )
        direct = server.http.post("/invocations", content=body, headers={"content-type": JSON})
        assert answer["Body"].read() == direct.content
        assert answer["ContentType"] == JSON
        assert answer["InvokedProductionVariant"] == "dense"
        assert answer["ResponseMetadata"]["RequestId"]


def test_traffic_is_split_by_weight_over_many_requests(two: str) -> None:
    client = runtime(two)
    answers = [client.invoke_endpoint(EndpointName="local", ContentType=JSON, Body=BODY) for _ in range(20)]
    named = Counter(answer["InvokedProductionVariant"] for answer in answers)
    by = Counter(json.loads(answer["Body"].read())["by"] for answer in answers)
    assert named == by == {"blue": 15, "green": 5}


def test_a_target_variant_is_asked_whatever_the_weights(two: str) -> None:
    client = runtime(two)
    for _ in range(3):
        answer = client.invoke_endpoint(EndpointName="local", ContentType=JSON, Body=BODY, TargetVariant="green")
        assert json.loads(answer["Body"].read())["by"] == answer["InvokedProductionVariant"] == "green"


def test_a_shadow_gets_a_copy_and_never_the_answer(echoes: list[VariantSpec]) -> None:
    described = endpoint(["blue", "grey"], shadow="grey")
    with front([echoes[0], echoes[2]]) as server, emulated(described, str(server.http.base_url)) as url:
        client = runtime(url)
        for _ in range(5):
            answer = client.invoke_endpoint(EndpointName="local", ContentType=JSON, Body=BODY)
            assert json.loads(answer["Body"].read())["by"] == "blue"
        until(lambda: description(url)["shadow"]["answered"] == 5)
        assert server.metric("requests_total", variant="grey", code="200") == 5
        with pytest.raises(ClientError, match="Variant grey of endpoint local not found"):
            client.invoke_endpoint(EndpointName="local", ContentType=JSON, Body=BODY, TargetVariant="grey")


def _error(client: Any, **asked: Any) -> Any:
    with pytest.raises(ClientError) as caught:
        client.invoke_endpoint(**{"EndpointName": "local", "ContentType": JSON, "Body": BODY, **asked})
    return caught.value


@pytest.mark.parametrize("mode", ["legacy", "standard"])
@pytest.mark.parametrize(
    ("body", "status", "fault"), [(b'{"inputs": "fail"}', 500, "server"), (b'{"inputs"', 400, "client")]
)
def test_what_the_model_answers_badly_is_a_model_error_that_is_not_tried_again(
    two: str, mode: str, body: bytes, status: int, fault: str
) -> None:
    client = runtime(two, retries={"mode": mode})
    sent = counting(client)
    error = _error(client, Body=body)
    assert isinstance(error, client.exceptions.ModelError)
    told: dict[str, Any] = dict(error.response)
    assert told["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert told["OriginalStatusCode"] == status
    assert json.loads(told["OriginalMessage"])["error"]
    assert told["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/local")
    assert f"Received {fault} error ({status}) from primary with message" in told["Error"]["Message"]
    assert "Traceback" not in str(told)
    assert attempts(error) == sent() == 1


def test_an_overloaded_container_is_a_model_error_that_names_its_status(tmp_path: Path) -> None:
    gated = GatedModel(tmp_path / "gated")
    with front([gated.spec], max_queue=1) as server, emulated(endpoint(["gated"]), str(server.http.base_url)) as url:
        waiting = server.asking("wait")
        with gated.held():
            error = _error(runtime(url))
        assert (error.response["OriginalStatusCode"], attempts(error)) == (429, 1)
        assert waiting.result().status_code == 200


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"EndpointName": "other"}, "Endpoint other of account 000000000000 not found"),
        ({"TargetVariant": "red"}, "Variant red of endpoint local not found"),
        ({"TargetModel": "red.tar.gz"}, "TargetModel cannot be given"),
        ({"Body": b" " * (6 * 1024 * 1024 + 1)}, "over the limit of 6291456 bytes"),
        ({"CustomAttributes": "a" * 1025}, "custom-attributes"),
        ({"InferenceId": "a" * 65}, "inference-id"),
        ({"SessionId": "-"}, "session-id"),
        ({"TargetContainerHostname": "second"}, "TargetContainerHostname is not supported"),
        ({"InferenceComponentName": "part"}, "InferenceComponentName is not supported"),
        ({"EnableExplanations": "`true`"}, "EnableExplanations is not supported"),
    ],
)
def test_what_an_endpoint_does_not_take_is_a_validation_error(two: str, asked: dict[str, Any], message: str) -> None:
    client = runtime(two)
    error = _error(client, **asked)
    assert isinstance(error, client.exceptions.ValidationError)
    assert message in error.response["Error"]["Message"]
    assert attempts(error) == 1
