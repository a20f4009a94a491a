"""The throttling threshold of levels whose counts are given, and what may be said of it."""

import pytest

from loadtest.results.errors import LoadTestError
from loadtest.results.levels import LevelResult
from loadtest.statistics.threshold import throttling_threshold
from tests.loadtest.examples import level

DASH = "\N{EN DASH}"


def levels(shares: dict[int, float], attempts: int = 4000) -> list[LevelResult]:
    return [level(users, share, attempts=attempts) for users, share in shares.items()]


@pytest.mark.parametrize(
    ("shares", "bracket", "text"),
    [
        ({1: 0.0, 32: 0.0, 64: 0.0}, (64, None), "> 64"),
        ({1: 0.02, 2: 0.1}, (None, 1), "< 1"),
        ({36: 0.002, 39: 0.018}, (36, 39), "38"),
        ({39: 0.018, 36: 0.002}, (36, 39), "38"),
        ({32: 0.0, 48: 0.0, 64: 0.04}, (48, 64), f"48{DASH}64"),
        ({32: 0.0, 48: 0.3}, (32, 48), f"32{DASH}48"),
        ({47: 0.0, 48: 0.3}, (47, 48), "47"),
        ({7: 0.004, 8: 0.05}, (7, 8), "7"),
    ],
)
def test_it_is_a_number_between_levels_that_lie_close_together_and_a_bound_otherwise(
    shares: dict[int, float], bracket: tuple[int | None, int | None], text: str
) -> None:
    threshold = throttling_threshold(levels(shares))
    assert (threshold.bracket, threshold.text) == (bracket, text)
    assert (threshold.at is None) == (not text.isdigit())


def test_requests_that_time_out_or_fail_are_not_served_either() -> None:
    held = level(16, attempts=4000)
    for outcome in ("timeout", "failed", "rejected"):
        lost = level(32, attempts=4000, ok=2400, **{outcome: 1600})
        assert throttling_threshold([held, lost]).text == f"16{DASH}32", outcome


def test_few_attempts_do_not_show_that_a_level_is_held() -> None:
    low, high = throttling_threshold([level(8, attempts=227)]).interval
    assert (low, high) == (None, None)
    assert throttling_threshold([level(8, attempts=227)]).text == "unknown"
    assert throttling_threshold([level(1, attempts=500), level(64, attempts=227)]).text == "> 33"


def test_the_interval_narrows_with_more_attempts_around_the_same_estimate() -> None:
    shares = {36: 0.004, 38: 0.009, 40: 0.02}
    few, many = (throttling_threshold(levels(shares, attempts)) for attempts in (2000, 50_000))
    assert few.at == pytest.approx(many.at, rel=0.01)
    assert None not in few.interval
    assert None not in many.interval
    assert few.interval[0] < many.interval[0] < 38.5 < many.interval[1] < few.interval[1]  # type: ignore[operator]


def test_the_share_that_counts_may_be_another() -> None:
    shares = {36: 0.004, 38: 0.009, 40: 0.02, 42: 0.05}
    one, four = (throttling_threshold(levels(shares), share).at for share in (0.01, 0.04))
    assert (round(one or 0), round(four or 0)) == (38, 42)


def test_a_level_without_attempts_says_nothing() -> None:
    assert throttling_threshold([level(8, attempts=4000), level(16, attempts=0)]).bracket == (8, None)
    with pytest.raises(LoadTestError, match="for longer"):
        throttling_threshold([])
