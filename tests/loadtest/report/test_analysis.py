import pytest

from loadtest.report.analysis import common_level, light_level, pareto_front
from loadtest.results.levels import LevelResult
from loadtest.statistics.threshold import throttling_threshold
from tests.loadtest.examples import level


def _levels(shares: dict[int, float]) -> list[LevelResult]:
    return [level(users, share) for users, share in shares.items()]


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
