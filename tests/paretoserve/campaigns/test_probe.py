from pathlib import Path

import pytest

from loadtest.plan.settings import Campaign
from loadtest.results.errors import LoadTestError
from paretoserve.campaigns.probe import limit_per_s, saturating_users, service_seconds
from tests.loadtest.mock_server import MockEndpoint, served

pytestmark = pytest.mark.timeout(60)


def campaign(url: str, folder: Path) -> Campaign:
    bodies = folder / "bodies.jsonl"
    bodies.write_text('{"inputs": "a film"}\n{"inputs": "another"}\n')
    return Campaign(url, bodies)


def test_the_service_time_is_that_of_a_single_user(tmp_path: Path) -> None:
    endpoint = MockEndpoint(service_s=0.05)
    with served(endpoint) as url:
        assert service_seconds(campaign(url, tmp_path)) >= 0.05
    assert len(endpoint.bodies) == 30
    assert len(endpoint.ports) == 1, "all over one connection"


def test_a_slow_server_is_asked_for_a_few_seconds_only(tmp_path: Path) -> None:
    endpoint = MockEndpoint(service_s=1.1)
    with served(endpoint) as url:
        assert service_seconds(campaign(url, tmp_path)) >= 1.1
    assert len(endpoint.bodies) == 3


def test_a_request_that_is_not_answered_is_an_error(tmp_path: Path) -> None:
    with (
        served(MockEndpoint(script=lambda number: "broken")) as url,
        pytest.raises(LoadTestError, match="answered 404"),
    ):
        service_seconds(campaign(url, tmp_path))


@pytest.mark.parametrize(
    ("service_s", "deadline_s", "users"), [(0.01, 0.1, 10), (0.0001, 0.1, 64), (0.3, 0.1, 2), (0.01, None, 32)]
)
def test_as_many_users_saturate_as_fit_within_the_deadline(
    service_s: float, deadline_s: float | None, users: int
) -> None:
    assert saturating_users(service_s, deadline_s) == users


def test_the_limit_is_what_users_without_think_time_are_answered(tmp_path: Path) -> None:
    with served(MockEndpoint(service_s=0.1)) as url:
        per_s, service_s = limit_per_s(campaign(url, tmp_path), 0.5, 1.2, tmp_path / "probe")
    users = saturating_users(service_s, 0.5)
    assert 0.1 <= service_s < 0.25
    assert 0 < per_s <= users / 0.1 * 1.05
