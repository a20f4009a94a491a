"""`sagemaker:ENDPOINT`: the same campaign, signed, against the emulator and against what stands for AWS."""

import gzip
import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.campaign import REQUESTS_FILE
from loadtest.results.errors import LoadTestError
from loadtest.results.request_log import read_rows
from paretoserve.campaigns.load import Endpoint, Requests, load_endpoint
from paretoserve.campaigns.settings import Load
from tests.loadtest.sagemaker.verifying import SECRET, TOKEN, credentials, is_signed
from tests.paretoserve.campaigns.test_load import LOAD
from tests.paretoserve.sagemaker.emulator.emulated import Asked, Handler, emulated, endpoint, scripted

pytestmark = pytest.mark.timeout(120)

USERS = replace(LOAD, levels=(2,))


def _outcomes(out: Path) -> Counter[tuple[int, str]]:
    return Counter((row.request.status, row.request.outcome) for row in read_rows(out / REQUESTS_FILE))


def _load(
    url: str, data: Path, out: Path, load: Load = USERS, rate_per_s: float | None = None, name: str = "local"
) -> None:
    with credentials() as environment:
        environment.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        asked = Requests(str(data), rate_per_s=rate_per_s)
        load_endpoint(Endpoint(f"sagemaker:{name}", variant="int8"), load, asked, out, plain=True)


@pytest.mark.parametrize("rate_per_s", [None, 40.0])
def test_every_request_is_signed_and_no_secret_is_written(
    tiny_data: Path, tmp_path: Path, rate_per_s: float | None
) -> None:
    """Users of Locust, and the lean client."""

    def aws(asked: Asked, handler: Handler) -> None:
        good = asked.path == "/endpoints/local/invocations" and is_signed(asked.path, asked.headers, asked.body)
        handler.reply(200 if good else 403, b"{}")

    with scripted(aws) as platform:
        _load(platform.url, tiny_data, tmp_path, rate_per_s=rate_per_s)
        assert {one.headers["x-amzn-sagemaker-target-variant"] for one in platform.asked} == {"int8"}
    assert set(_outcomes(tmp_path)) == {(200, "ok")}
    for file in filter(Path.is_file, tmp_path.rglob("*")):
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        assert not any(secret.encode() in content for secret in (SECRET, TOKEN, "AWS4-HMAC")), file.name


@pytest.mark.parametrize("rate_per_s", [None, 40.0])
def test_what_the_emulator_answers_is_classed_as_the_platform_means_it(
    tiny_data: Path, tmp_path: Path, rate_per_s: float | None
) -> None:
    numbers = itertools.count()
    statuses = (200, 429, 503, 500)

    def container(asked: Asked, handler: Handler) -> None:
        handler.reply(statuses[next(numbers) % len(statuses)], b"{}")

    with scripted(container) as model, emulated(endpoint(["int8"]), model.url) as url:
        _load(url, tiny_data, tmp_path, USERS, rate_per_s)
        asked = len(model.asked)
    outcomes = _outcomes(tmp_path)
    assert set(outcomes) == {(200, "ok"), (424, "rejected"), (424, "failed")}
    # One request ahead of the campaign, none tried again; what users ask while they are stopped is in no level.
    assert 1 <= asked - outcomes.total() <= 3
    assert outcomes[424, "rejected"] == pytest.approx(2 * outcomes[424, "failed"], abs=3)


def test_throttling_is_rejection(tiny_data: Path, tmp_path: Path) -> None:
    def throttled(asked: Asked, handler: Handler) -> None:
        handler.reply(200 if len(model.asked) % 2 else 400, b'{"message":null}', **error)

    error = {"x-amzn-errortype": "ThrottlingException"}
    with scripted(throttled) as model:
        _load(model.url, tiny_data, tmp_path, rate_per_s=40.0)
    assert set(_outcomes(tmp_path)) == {(200, "ok"), (400, "rejected")}


@pytest.mark.parametrize("name", ["other", "local"])
def test_a_name_that_there_is_not_is_said_before_anything_is_loaded(tiny_data: Path, tmp_path: Path, name: str) -> None:
    """Of an endpoint, and of a variant."""
    with (
        scripted(lambda asked, handler: handler.reply(200, b"{}")) as container,
        emulated(endpoint(["dense"]), container.url) as url,
        pytest.raises(LoadTestError, match="check the names of the endpoint and of the variant"),
    ):
        _load(url, tiny_data, tmp_path, name=name)


def test_what_aws_says_of_a_signature_is_not_repeated(tiny_data: Path, tmp_path: Path) -> None:
    with (
        scripted(lambda asked, handler: handler.reply(403, TOKEN.encode())) as platform,
        pytest.raises(LoadTestError, match="sagemaker:InvokeEndpoint") as caught,
    ):
        _load(platform.url, tiny_data, tmp_path)
    assert TOKEN not in str(caught.value)
