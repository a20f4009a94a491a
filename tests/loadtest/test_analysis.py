import pytest

from loadtest.analysis import common_level, light_level, pareto_front, throttling_threshold
from loadtest.errors import LoadTestError
from loadtest.levels import LevelResult
from tests.loadtest.examples import level


def _levels(shares: dict[int, float]) -> list[LevelResult]:
    return [level(users, share) for users, share in shares.items()]


@pytest.mark.parametrize(
    ("shares", "users", "bracket", "text"),
    [
        ({1: 0.0, 32: 0.0, 64: 0.0}, None, (64, None), "> 64"),
        ({1: 0.02, 2: 0.1}, None, (None, 1), "< 1"),
        ({32: 0.0, 48: 0.0, 64: 0.04}, 52.0, (48, 64), "52"),
        ({32: 0.002, 40: 0.018}, 36.0, (32, 40), "36"),
        ({64: 0.04, 32: 0.0, 48: 0.0}, 52.0, (48, 64), "52"),
        ({32: 0.01, 40: 0.05}, 32.0, (32, 40), "32"),
        # 30 and 40 are out of order: pooled to 1.5 % each, so the line crosses 1 % two thirds of the way from 20 to 30.
        ({20: 0.0, 30: 0.02, 40: 0.01, 50: 0.1}, 20 + 10 * 0.01 / 0.015, (20, 30), "27"),
        # A cliff: from nothing to 30 % within 16 users nobody knows where.
        ({32: 0.0, 48: 0.3}, None, (32, 48), "32\N{EN DASH}48"),
        # The same jump from one user to the next leaves nothing to be known.
        ({47: 0.0, 48: 0.3}, 47 + 0.01 / 0.3, (47, 48), "47"),
    ],
)
def test_threshold(
    shares: dict[int, float], users: float | None, bracket: tuple[int | None, int | None], text: str
) -> None:
    threshold = throttling_threshold(_levels(shares))
    assert threshold.users == pytest.approx(users)
    assert (threshold.bracket, threshold.text) == (bracket, text)


def test_long_levels_weigh_more_in_the_monotone_fit() -> None:
    noisy = [level(20, 0.0), level(30, 0.03, attempts=100), level(40, 0.0, attempts=10_000), level(50, 0.1)]
    threshold = throttling_threshold(noisy)
    assert threshold.bracket == (40, 50)


def test_threshold_follows_the_share_asked_for() -> None:
    assert throttling_threshold(_levels({32: 0.0, 42: 0.1}), reject_threshold=0.05).users == pytest.approx(37.0)


def test_level_without_attempts_says_nothing_about_the_threshold() -> None:
    assert throttling_threshold([level(8), level(16, attempts=0)]).text == "> 8"
    with pytest.raises(LoadTestError, match="longer dwell"):
        throttling_threshold([])


def test_common_level_is_the_largest_that_all_hold() -> None:
    weak, strong = _levels({16: 0.0, 32: 0.0, 48: 0.0, 64: 0.04}), _levels({16: 0.0, 32: 0.0, 64: 0.0})
    assert common_level([(weak, throttling_threshold(weak)), (strong, throttling_threshold(strong))]) == 32


def test_common_level_needs_a_p95_of_every_candidate() -> None:
    levels, sparse = _levels({16: 0.0, 32: 0.0}), [level(16), level(32, p95_ms=None)]
    assert common_level([(levels, throttling_threshold(levels)), (sparse, throttling_threshold(sparse))]) == 16


def test_candidates_without_a_shared_level_have_none_in_common() -> None:
    one, other = _levels({1: 0.0}), _levels({2: 0.0})
    assert common_level([(one, throttling_threshold(one)), (other, throttling_threshold(other))]) is None
    assert light_level([one, other]) is None
    assert light_level([one, [*one, *other]]) == 1


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ({"a": (10.0, 0.9), "b": (20.0, 0.95), "c": (15.0, 0.89)}, ("a", "b")),
        ({"a": (10.0, 0.9), "b": (10.0, 0.8)}, ("a",)),
        ({"a": (10.0, 0.9), "b": (12.0, 0.9)}, ("a",)),
        ({"a": (10.0, 0.9), "b": (10.0, 0.9)}, ("a", "b")),
        ({"slow": (30.0, 0.95), "fast": (1.0, 0.7)}, ("fast", "slow")),
        ({}, ()),
    ],
)
def test_pareto_front(points: dict[str, tuple[float, float]], front: tuple[str, ...]) -> None:
    assert pareto_front(points) == front
