"""What a worker notes of its work, as the front reads it."""

import os
from collections.abc import Iterator

import pytest

from serving.wire import black_box
from serving.wire.black_box import MOST_NOTED, BlackBox


@pytest.fixture
def both() -> Iterator[tuple[BlackBox, BlackBox]]:
    """The worker's mapping and the front's, of one file with three slots."""
    fd = BlackBox.make_file(3)
    worker, front = BlackBox(fd, 3), BlackBox(fd, 3)
    os.close(fd)
    yield worker, front
    worker.close()
    front.close()


def test_a_fresh_one_is_empty(both: tuple[BlackBox, BlackBox]) -> None:
    _, front = both
    assert (front.running(), front.oldest_s(now=1000.0)) == (set(), 0.0)


def test_the_front_sees_what_the_worker_notes_in_any_slot(both: tuple[BlackBox, BlackBox]) -> None:
    worker, front = both
    worker.begin(0, [7, 2**64 - 1], now=10.0)
    worker.begin(2, [0], now=12.0)
    assert front.running() == {7, 2**64 - 1, 0}


def test_the_age_is_that_of_the_longest_work_that_goes_on(both: tuple[BlackBox, BlackBox]) -> None:
    worker, front = both
    worker.begin(0, [1], now=12.0)
    worker.begin(1, [2], now=10.0)
    assert front.oldest_s(now=15.0) == 5.0
    worker.end(1)
    assert front.oldest_s(now=15.0) == 3.0


def test_what_has_ended_is_not_running_any_more(both: tuple[BlackBox, BlackBox]) -> None:
    worker, front = both
    worker.begin(1, [1, 2, 3], now=10.0)
    worker.end(1)
    assert (front.running(), front.oldest_s(now=1000.0)) == (set(), 0.0)


def test_a_smaller_call_leaves_nothing_of_a_larger_one(both: tuple[BlackBox, BlackBox]) -> None:
    worker, front = both
    worker.begin(0, [1, 2, 3], now=10.0)
    worker.begin(0, [4], now=11.0)
    assert (front.running(), front.oldest_s(now=11.5)) == ({4}, 0.5)


def test_work_on_nothing_is_none(both: tuple[BlackBox, BlackBox]) -> None:
    worker, front = both
    worker.begin(0, [], now=10.0)
    assert (front.running(), front.oldest_s(now=1000.0)) == (set(), 0.0)


def test_more_requests_than_there_is_room_for_disturb_no_other_slot(both: tuple[BlackBox, BlackBox]) -> None:
    worker, front = both
    worker.begin(2, [5000], now=20.0)
    worker.begin(1, range(1, 2 * MOST_NOTED), now=10.0)
    assert front.running() == {*range(1, MOST_NOTED + 1), 5000}
    worker.begin(2, range(1, 2 * MOST_NOTED), now=10.0)  # nor does the last write beyond the end


def test_what_is_written_while_it_is_read_is_read_again(
    both: tuple[BlackBox, BlackBox], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks a worker may have noted how many are running and, for this reader, not yet since when."""
    _, front = both
    looks = iter([(0.0, 3), (10.0, 3), (10.0, 3), *[(0.0, 0)] * 4])

    class Changing:
        def unpack_from(self, buffer: object, offset: int) -> tuple[float, int]:
            return next(looks)

    monkeypatch.setattr(black_box, "_HEAD", Changing())
    assert front.oldest_s(now=10.5) == 0.5
