import pytest

from loadtest.generator.clocks import Clock, check_clocks, clock_of, moved
from loadtest.results.errors import LoadTestError
from tests.loadtest.examples import row


def test_the_quickest_message_tells_most_of_a_clock() -> None:
    found = clock_of([(1.0, 1.4, 101.1), (2.0, 2.01, 102.006), (3.0, 3.2, 103.2)])
    assert found == pytest.approx((100.001, 0.005))


def test_rows_of_workers_lie_on_one_clock_and_have_users_of_their_own() -> None:
    rows = [row(10.0)._replace(user=user) for user in range(3)]
    here = [moved(one, Clock(2.5, 0.0), worker, 2) for worker in range(2) for one in rows]
    assert [one.t_done_s for one in here] == pytest.approx([7.5] * 6)
    assert sorted(one.user for one in here) == list(range(6))


def test_a_clock_that_is_far_ahead_is_fine_as_long_as_it_is_known() -> None:
    check_clocks([Clock(-3600.0, 0.0049), Clock(1e6, 0.005)])


def test_a_clock_that_is_not_known_to_5_ms_is_refused() -> None:
    slow = clock_of([(1.0, 1.0112, 90.0), (2.0, 2.5, 91.0)])
    with pytest.raises(LoadTestError, match=r"known to 5\.6 ms only, and has to be to 5 ms; run workers nearer"):
        check_clocks([Clock(0.0, 0.001), slow])
