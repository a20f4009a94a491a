import numpy as np
import pytest

from loadtest.results.visits import Slice
from loadtest.statistics.sequential import LEAST_SECONDS, settled
from tests.loadtest.simulation import Queue, visit


def test_a_level_far_beyond_the_limit_is_settled_as_soon_as_bursts_are_ruled_out() -> None:
    slices = [Slice(60, 30)] * 6
    assert settled(slices[: LEAST_SECONDS - 1], 0.01) is None
    assert settled(slices[:LEAST_SECONDS], 0.01) == "hopeless"


def test_a_clean_level_is_settled_after_thousands_of_requests_and_not_after_hundreds() -> None:
    assert settled([Slice(200, 0)] * 6, 0.01) is None
    assert settled([Slice(2000, 0)] * 6, 0.01) == "clean"


@pytest.mark.parametrize("share", [0.005, 0.01, 0.02])
def test_a_level_near_the_limit_is_not_settled(share: float) -> None:
    assert settled([Slice(1000, round(1000 * share))] * 6, share=0.01) is None


def test_a_single_burst_settles_nothing() -> None:
    assert settled([Slice(60, 0), Slice(60, 0), Slice(60, 20), Slice(60, 0)], 0.01) is None
    assert settled([], 0.01) is None


@pytest.mark.parametrize(("service_s", "users"), [(0.003, 60), (0.006, 29), (0.016, 10)])
def test_at_the_threshold_of_a_queue_hardly_any_visit_is_ended(service_s: float, users: int) -> None:
    ended = 0
    for seed in range(60):
        slices = visit(Queue(service_s), users, 6, np.random.default_rng(seed)).slices
        ended += any(settled(slices[:seconds], 0.01) for seconds in range(1, 7))
    assert ended <= 3
