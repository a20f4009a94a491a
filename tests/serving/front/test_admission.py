import time

import pytest

from model_store.errors import Overloaded
from serving.front.admission import Gate
from serving.front.refusals import Refusal, Refused
from serving.wire.cost import Cost

# A full batch of 100 tokens costs 0.1 + 0.1 = 0.2 s; a half one 0.15 s.
COST = Cost(0.1, 0.001)


def gate(max_queue: int = 100, queue_deadline_s: float = 1000.0, streams: int = 1) -> Gate:
    """A gate whose requests have 50 tokens each, in front of an engine that runs as it was measured."""
    made = Gate(max_queue, queue_deadline_s)
    made.calibrate(COST, call_tokens=100, streams=streams)
    made.answered(50)
    return made


def fill(gate: Gate, requests: int) -> None:
    for _ in range(requests):
        gate.admit()


def refused(gate: Gate) -> tuple[Refusal, float]:
    """Why the next request is refused, and when its client may return."""
    with pytest.raises(Refused) as caught:
        gate.admit()
    assert isinstance(caught.value.error, Overloaded)
    assert caught.value.reason in str(caught.value.error)
    return caught.value.reason, caught.value.error.retry_after_s


@pytest.mark.parametrize(
    ("in_flight", "streams", "wait_s"),
    [(0, 1, 0.0), (1, 1, 0.15), (2, 1, 0.2), (3, 1, 0.35), (4, 1, 0.4), (10, 1, 1.0), (4, 2, 0.2), (3, 4, 0.35 / 4)],
)
def test_the_wait_is_what_those_in_flight_cost_in_full_batches(in_flight: int, streams: int, wait_s: float) -> None:
    full = gate(streams=streams)
    fill(full, in_flight)
    assert full.estimated_wait_s() == pytest.approx(wait_s)


def test_an_engine_that_slows_down_lengthens_the_wait_and_recovers() -> None:
    slow = gate()
    fill(slow, 2)
    slow.observe(100, 3 * COST.seconds(100))
    assert slow.estimated_wait_s() == pytest.approx(0.2 * 1.1)
    for _ in range(300):
        slow.observe(100, COST.seconds(100))
    assert slow.estimated_wait_s() == pytest.approx(0.2)


def test_longer_requests_lengthen_the_wait() -> None:
    longer = gate()
    fill(longer, 1)
    longer.answered(70)
    assert longer.estimated_wait_s() == pytest.approx(COST.seconds(51))


def test_where_each_request_has_a_call_of_its_own_its_length_does_not_count() -> None:
    apart = Gate(100, 1000.0)
    apart.calibrate(Cost(0.0, 0.01), call_tokens=1, streams=1)
    apart.answered(100)
    fill(apart, 2)
    assert apart.estimated_wait_s() == pytest.approx(0.02)


def test_requests_of_many_calls_add_no_more_than_their_share_to_the_wait_of_others() -> None:
    mixed = gate()
    for _ in range(200):
        mixed.answered(50)
    fill(mixed, 4)
    alone_s = mixed.estimated_wait_s()
    mixed.answered(100_000, bulk=True)
    for _ in range(100):
        mixed.answered(50)
    assert alone_s <= mixed.estimated_wait_s() <= 1.3 * alone_s


def test_where_all_requests_take_many_calls_all_of_them_are_waited_for() -> None:
    bulk = gate()
    for _ in range(200):
        bulk.answered(1000, bulk=True)
    fill(bulk, 3)
    assert bulk.estimated_wait_s() == pytest.approx(30 * COST.layout_seconds(100), rel=0.01)


def test_a_variant_that_was_not_measured_learns_from_its_first_call() -> None:
    unknown = Gate(100, 1000.0)
    unknown.calibrate(Cost(), call_tokens=1, streams=1)
    fill(unknown, 3)
    assert unknown.estimated_wait_s() == 0.0
    unknown.observe(tokens=1, busy_s=0.5)
    assert unknown.estimated_wait_s() == pytest.approx(1.5)


def test_a_new_worker_is_believed_from_its_own_measurement() -> None:
    renewed = gate()
    fill(renewed, 2)
    renewed.observe(100, 100.0)
    renewed.calibrate(Cost(0.0, 0.002), call_tokens=100, streams=1)
    assert renewed.estimated_wait_s() == pytest.approx(0.2)


def test_a_full_queue_rejects_at_once_and_says_when_to_return() -> None:
    full = gate(max_queue=4, queue_deadline_s=0.36 / 0.7)
    fill(full, 4)
    assert refused(full) == (Refusal.QUEUE_FULL, 0.05)
    assert full.in_flight == 4


def test_a_wait_beyond_the_deadline_rejects_at_once_and_says_when_to_return() -> None:
    full = gate(queue_deadline_s=0.25 / 0.7)  # of which the wait may take 0.25
    fill(full, 3)
    reason, retry_after_s = refused(full)
    assert (reason, round(retry_after_s, 6)) == (Refusal.QUEUE_DEADLINE, 0.1)


def test_an_idle_variant_admits_however_slow_it_is() -> None:
    slow = gate(queue_deadline_s=0.01)
    slow.observe(50, 1000.0)
    slow.admit()
    assert refused(slow)


def test_leaving_makes_room() -> None:
    full = gate(max_queue=1)
    full.admit()
    assert not full.idle.is_set()
    full.leave()
    assert full.idle.is_set()
    full.admit()


def test_the_worker_may_keep_a_request_for_twice_the_deadline() -> None:
    before = time.monotonic()
    wait_until = gate(queue_deadline_s=5.0).admit()
    assert before + 10 <= wait_until <= time.monotonic() + 10
