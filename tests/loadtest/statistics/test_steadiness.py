from pathlib import Path

import pytest

from loadtest.plan.settings import Campaign
from loadtest.results.records import RequestRow
from loadtest.statistics.steadiness import is_steady
from tests.loadtest.examples import row

CAMPAIGN = Campaign("http://127.0.0.1:1", Path("bodies"), min_dwell_s=6.0, max_dwell_s=30.0, min_attempts=100)


def _rows(*per_second: tuple[int, float]) -> list[RequestRow]:
    """So many evenly spaced answers of so many ms in each second."""
    return [
        row(second + place / count, response_ms)
        for second, (count, response_ms) in enumerate(per_second)
        for place in range(count)
    ]


def test_even_level_is_steady_after_the_shortest_dwell() -> None:
    rows = _rows(*[(2000, 10.0)] * 6)
    assert is_steady(CAMPAIGN, rows, 0.0, 6.0)
    assert not is_steady(CAMPAIGN, rows, 0.0, 5.9)


def test_level_with_too_few_attempts_goes_on() -> None:
    assert not is_steady(CAMPAIGN, _rows(*[(16, 10.0)] * 6), 0.0, 6.0)
    assert is_steady(CAMPAIGN, _rows(*[(17, 10.0)] * 6), 0.0, 6.0)


@pytest.mark.parametrize(
    "drifting",
    [
        [(2000, 10.0)] * 4 + [(2400, 10.0)] * 2,
        [(2000, 10.0)] * 4 + [(2000, 11.5)] * 2,
    ],
    ids=["throughput", "response time"],
)
def test_drift_by_more_than_a_tenth_is_not_steady(drifting: list[tuple[int, float]]) -> None:
    assert not is_steady(CAMPAIGN, _rows(*drifting), 0.0, 6.0)


def test_drift_of_the_slowest_tenth_is_not_steady() -> None:
    tail = [row(4 + place / 2000, 90.0 if place % 10 == 0 else 10.0) for place in range(4000)]
    assert not is_steady(CAMPAIGN, [*_rows(*[(2000, 10.0)] * 4), *tail], 0.0, 6.0)


def test_drift_before_the_last_three_windows_is_forgiven() -> None:
    rows = _rows(*[(500, 99.0)] * 4, *[(2000, 10.0)] * 6)
    assert is_steady(CAMPAIGN, rows, 0.0, 10.0)


def test_few_answers_may_scatter_more() -> None:
    # 40 answers per sub-window allow a spread of 3.31 / sqrt(40) = 52 %; a doubling is still too much.
    assert is_steady(CAMPAIGN, _rows((20, 9.0), (20, 9.0), (25, 9.0), (25, 9.0), (20, 9.0), (20, 9.0)), 0.0, 6.0)
    assert not is_steady(CAMPAIGN, _rows((20, 9.0), (20, 9.0), (45, 9.0), (45, 9.0), (20, 9.0), (20, 9.0)), 0.0, 6.0)


def test_rejecting_everything_is_steady() -> None:
    rows = [row(place / 100, 2.0, "rejected") for place in range(600)]
    assert is_steady(CAMPAIGN, rows, 0.0, 6.0)
    assert not is_steady(CAMPAIGN, [*rows, *_rows(*[(0, 0.0)] * 5, (9, 5.0))], 0.0, 6.0)
