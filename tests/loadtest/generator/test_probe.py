import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.generator.probe import check_endpoint
from loadtest.plan.settings import Campaign
from loadtest.results.errors import LoadTestError
from tests.loadtest.mock_server import Answer, MockEndpoint, served

BODY = b'{"inputs": "a fine film"}'


@pytest.fixture
def endpoint() -> MockEndpoint:
    return MockEndpoint(service_s=0.0)


@pytest.fixture
def campaign(endpoint: MockEndpoint) -> Iterator[Campaign]:
    with served(endpoint) as url:
        yield Campaign(url, Path("bodies"), timeout_s=5.0)


def test_answering_endpoint_passes_and_gets_the_body_as_it_is(campaign: Campaign, endpoint: MockEndpoint) -> None:
    check_endpoint(replace(campaign, headers={"X-Amzn-SageMaker-Target-Variant": "int8"}), BODY)
    assert (endpoint.bodies, endpoint.variants) == ([BODY], {"int8"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("broken", r"answered 404: .*target-variant header.*no variant 'fp8'; loaded: dense"),
        ("busy", "answered 503: it is not ready"),
    ],
)
def test_refusing_endpoint_is_quoted_with_advice(
    campaign: Campaign, endpoint: MockEndpoint, answer: Answer, words: str
) -> None:
    endpoint.script = lambda _: answer
    with pytest.raises(LoadTestError, match=words):
        check_endpoint(campaign, BODY)


def test_silent_endpoint_is_not_waited_for_longer_than_the_timeout(campaign: Campaign, endpoint: MockEndpoint) -> None:
    endpoint.script = lambda _: "silent"
    with pytest.raises(LoadTestError, match=r"no answer within 0\.2 s"):
        check_endpoint(replace(campaign, timeout_s=0.2), BODY)


def test_closed_port_says_to_start_the_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(LoadTestError, match=f"Nothing listens at http://127.0.0.1:{port}; start the server"):
        check_endpoint(Campaign(f"http://127.0.0.1:{port}", Path("bodies")), BODY)
