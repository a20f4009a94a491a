"""Who is suspected of a worker's death, of how many, and for how long."""

from dataclasses import replace

import pytest

from handlers.payloads.request import RawRequest
from serving.front import quarantine
from serving.front.quarantine import FORGET_AFTER_S, Quarantine

ONE, TWO, THREE = (RawRequest(text.encode(), "application/json") for text in ("one", "two", "three"))


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(quarantine, "time", clock)
    return clock


def test_deaths_are_counted_by_request() -> None:
    suspects = Quarantine()
    suspects.accuse([ONE, TWO])
    suspects.accuse([ONE])
    assert [suspects.deaths(one) for one in (ONE, TWO, THREE)] == [2, 1, 0]


def test_a_request_that_was_running_several_times_at_one_death_counts_once() -> None:
    suspects = Quarantine()
    suspects.accuse([ONE, TWO, ONE, ONE])
    assert [suspects.deaths(one) for one in (ONE, TWO)] == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        RawRequest(b"ONE", "application/json"),
        replace(ONE, content_type="text/csv"),
        replace(ONE, protocol="v2"),
        replace(ONE, json_length=3),
    ],
)
def test_another_body_or_another_reading_of_it_is_another_request(other: RawRequest) -> None:
    suspects = Quarantine()
    suspects.accuse([ONE])
    assert suspects.deaths(other) == 0


def test_how_the_answer_is_to_be_written_makes_no_other_request() -> None:
    suspects = Quarantine()
    suspects.accuse([ONE])
    assert suspects.deaths(replace(ONE, accept="text/csv")) == 1


def test_an_acquitted_request_begins_anew_and_no_other_does() -> None:
    suspects = Quarantine()
    suspects.accuse([ONE, TWO])
    suspects.acquit(ONE)
    suspects.acquit(THREE)  # of whom nothing is known
    assert [suspects.deaths(one) for one in (ONE, TWO)] == [0, 1]
    suspects.accuse([ONE])
    assert suspects.deaths(ONE) == 1


def test_after_a_while_a_request_may_try_again(clock: Clock) -> None:
    suspects = Quarantine()
    suspects.accuse([ONE])
    clock.now += FORGET_AFTER_S - 1
    suspects.accuse([ONE])
    clock.now += FORGET_AFTER_S - 1
    assert suspects.deaths(ONE) == 2  # the last death counts
    clock.now += 1
    assert suspects.deaths(ONE) == 0
    suspects.accuse([ONE])
    assert suspects.deaths(ONE) == 1


def test_once_all_is_forgotten_no_request_is_looked_at_any_more(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    suspects = Quarantine()
    suspects.accuse([ONE, TWO])
    clock.now += FORGET_AFTER_S - 1
    suspects.accuse([ONE])
    clock.now += 1
    assert [suspects.deaths(one) for one in (ONE, TWO)] == [2, 0]
    clock.now += FORGET_AFTER_S
    digested: list[object] = []
    monkeypatch.setattr(quarantine, "_digest", digested.append)
    assert [suspects.deaths(one) for one in (ONE, TWO, THREE)] == [0, 0, 0]
    assert digested == []


def test_only_so_many_are_remembered_and_the_ones_longest_untouched_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(quarantine, "MOST_REMEMBERED", 2)
    suspects = Quarantine()
    for request in (ONE, TWO, ONE, THREE):
        suspects.accuse([request])
    assert [suspects.deaths(one) for one in (ONE, TWO, THREE)] == [2, 0, 1]
    together = [RawRequest(bytes([number])) for number in range(5)]
    suspects.accuse(together)
    assert [suspects.deaths(one) for one in (ONE, THREE, *together)] == [0, 0, 0, 0, 0, 1, 1]
