import pytest

from loadtest.generator.clocks import Clock, clock_of, moved
from tests.loadtest.examples import row


def test_the_quickest_message_tells_most_of_a_clock() -> None:
    found = clock_of([(1.0, 1.4, 101.1), (2.0, 2.01, 102.006), (3.0, 3.2, 103.2)])
    assert found == pytest.approx((100.001, 0.005))


def test_rows_of_workers_lie_on_one_clock_and_have_users_of_their_own() -> None:
    rows = [row(10.0)._replace(user=user) for user in range(3)]
    here = [moved(one, Clock(2.5, 0.0), worker, 2) for worker in range(2) for one in rows]
    assert [one.t_done_s for one in here] == pytest.approx([7.5] * 6)
    assert sorted(one.user for one in here) == list(range(6))
