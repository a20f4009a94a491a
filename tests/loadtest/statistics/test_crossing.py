"""The estimate of a crossing and its interval."""

import pytest

from loadtest.results.visits import Slice, Visit
from loadtest.statistics.crossing import USUAL_DISPERSION, crossing_of


def even(users: int, attempts: int, unserved: int, seconds: int = 10) -> Visit:
    return Visit(users, (Slice(attempts, unserved),) * seconds)


def test_it_lies_where_the_logistic_curve_through_two_levels_has_the_share() -> None:
    # Odds of 1 in 99 are half way, in logarithms, between 1 in 999 and 1 in 9.9.
    found = crossing_of([even(36, 1000, 1), even(44, 1090, 100)], 0.01)
    assert found.at == pytest.approx((36 * 44) ** 0.5, rel=0.01)


def test_visits_to_the_same_level_are_pooled() -> None:
    once = crossing_of([even(36, 1000, 4), even(40, 1000, 30, seconds=20)], 0.01)
    twice = crossing_of([even(40, 1000, 30), even(36, 1000, 4), even(40, 1000, 30)], 0.01)
    assert once == twice


def test_bursts_widen_the_interval() -> None:
    steady = [even(36, 100, 1, seconds=40), even(40, 100, 5, seconds=40)]
    bursts = [
        Visit(36, (*(Slice(100, 0),) * 39, Slice(100, 40))),
        Visit(40, (*(Slice(100, 0),) * 36, *(Slice(100, 50),) * 4)),
    ]
    one, other = crossing_of(steady, 0.01), crossing_of(bursts, 0.01)
    assert one.dispersion < USUAL_DISPERSION < other.dispersion
    (low, high), (lower, higher) = one.interval, other.interval
    assert low is not None
    assert high is not None
    assert lower is None or lower < low
    assert higher is None or high < higher


def test_levels_far_from_it_do_not_bend_the_curve() -> None:
    near = [even(36, 1000, 4), even(40, 1000, 30)]
    # Ever more users add ever less to the share that is rejected, as it cannot exceed one.
    far = [even(80, 1000, 480), even(160, 1000, 740)]
    assert crossing_of([*near, *far], 0.01).at == pytest.approx(crossing_of(near, 0.01).at, rel=0.005)


@pytest.mark.parametrize("shares", [{8: 0.0, 16: 0.3, 32: 0.5}, {4: 0.0, 8: 0.0, 16: 0.3, 32: 0.5, 64: 0.7}])
def test_levels_far_beyond_do_not_draw_it_below_a_level_that_serves_everything(shares: dict[int, float]) -> None:
    visits = [Visit(at, (Slice(100, round(100 * share)),) * 6) for at, share in shares.items()]
    crossing = crossing_of(visits, 0.01)
    assert 8 <= crossing.at <= 16


def test_at_a_cliff_the_interval_has_both_levels_around_it() -> None:
    found = crossing_of([even(12, 100, 0, 20), even(13, 100, 0, 20), even(14, 100, 50, 20), even(20, 100, 70)], 0.01)
    assert 13 < found.at < 14
    assert found.interval == (13, 14)


@pytest.mark.parametrize("edge", [40.2, 41.0, 42.0, 43.8])
def test_wherever_a_cliff_lies_between_two_levels_the_interval_has_it(edge: float) -> None:
    visits = [Visit(at, (Slice(200, 0 if at < edge else 80),) * 10) for at in (36, 40, 44)]
    low, high = crossing_of(visits, 0.01).interval
    assert low is not None
    assert high is not None
    assert low <= edge <= high


def test_where_the_share_rises_slowly_the_interval_may_lie_between_the_levels() -> None:
    low, high = crossing_of([even(36, 400, 1, 60), even(44, 400, 16, 60)], 0.01).interval
    assert low is not None
    assert high is not None
    assert 36 < low < high < 44
