import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest import campaign as generator
from loadtest.results.errors import LoadTestError
from loadtest.results.reading import read_report
from paretoserve.campaigns.load import Endpoint, Requests, load_endpoint
from paretoserve.campaigns.settings import Load
from tests.loadtest.mock_server import MockEndpoint, served

pytestmark = pytest.mark.timeout(90)

LOAD = Load(
    (2, 4),
    think_time_s=0.02,
    min_dwell_s=0.6,
    max_dwell_s=1.2,
    ramp_s=0.2,
    settle_s=0.1,
    exact_levels=True,
    rate_s=1.0,
)


def test_an_endpoint_gets_users_and_the_report_says_what_it_is(tiny_data: Path, tmp_path: Path) -> None:
    endpoint = MockEndpoint()
    with served(endpoint) as url:
        report = load_endpoint(Endpoint(url, variant="int8"), LOAD, Requests(str(tiny_data)), tmp_path, plain=True)
    (run,) = report.candidates[0].runs
    assert [level.users for level in run.levels] == [2, 4]
    assert endpoint.variants == {"int8"}
    assert report.conditions["Endpoint"] == f"{url}/invocations"
    assert read_report(tmp_path / "report.json").candidates == report.candidates
    assert (tmp_path / "report.html").exists()


def test_a_rate_is_sent_whatever_is_unanswered(tiny_data: Path, tmp_path: Path) -> None:
    with served(MockEndpoint(service_s=0.2)) as url:
        requests = Requests(str(tiny_data), rate_per_s=50.0, arrivals="constant")
        report = load_endpoint(Endpoint(url), LOAD, requests, tmp_path, plain=True)
    (run,) = report.candidates[0].runs
    assert report.common_rate_per_s == 50.0
    assert run.common_rate is not None
    assert run.common_rate.attempts == pytest.approx(50, abs=2)
    assert run.levels == ()


@pytest.mark.parametrize(("here", "elsewhere"), [(2, 0), (0, 1)])
def test_a_rate_is_not_spread_over_workers(tiny_data: Path, tmp_path: Path, here: int, elsewhere: int) -> None:
    requests = Requests(str(tiny_data), rate_per_s=50.0, workers=here, expect_workers=elsewhere)
    with pytest.raises(LoadTestError, match="leave out --workers and --expect-workers, or --rate"):
        load_endpoint(Endpoint("http://127.0.0.1:9"), LOAD, requests, tmp_path, plain=True)


def test_bodies_are_those_of_the_interface(tiny_data: Path, tmp_path: Path) -> None:
    endpoint = MockEndpoint()
    with served(endpoint) as url, pytest.raises(LoadTestError, match="/predictions/sst2"):
        load_endpoint(Endpoint(url, "predictions:sst2:data"), LOAD, Requests(str(tiny_data)), tmp_path, plain=True)
    with served(endpoint) as url:
        target = Endpoint(url, "predictions:sst2:data", "/invocations")
        load_endpoint(target, replace(LOAD, levels=(1,)), Requests(str(tiny_data)), tmp_path, plain=True)
    assert all(list(json.loads(body)) == ["data"] for body in endpoint.bodies)


def test_ctrl_c_leaves_a_report_of_the_levels_until_then(
    tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_campaign = generator.run_campaign

    def stopped(campaign: Any, out: Path, on_event: Any) -> Any:
        run_campaign(replace(campaign, levels=(2,)), out, on_event)
        raise KeyboardInterrupt

    monkeypatch.setattr(generator, "run_campaign", stopped)
    with served(MockEndpoint()) as url, pytest.raises(KeyboardInterrupt):
        load_endpoint(Endpoint(url), LOAD, Requests(str(tiny_data)), tmp_path, plain=True)
    (run,) = read_report(tmp_path / "report.json").candidates[0].runs
    assert [level.users for level in run.levels] == [2]


def test_where_nothing_listens_that_is_the_error_and_there_is_no_report(tiny_data: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadTestError, match="Nothing listens"):
        load_endpoint(Endpoint("http://127.0.0.1:9"), LOAD, Requests(str(tiny_data)), tmp_path, plain=True)
    assert not (tmp_path / "report.json").exists()
