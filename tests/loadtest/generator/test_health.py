import gc
import time

import pytest

from loadtest.generator.health import PAUSE_S, Health, no_garbage_collection


def test_loop_lag_is_what_sleeps_took_longer_than_asked() -> None:
    health = Health()
    for lag_ms in range(101):
        health.overslept(PAUSE_S + lag_ms / 1e3)
    assert health.loop_lag_p99_ms == pytest.approx(99.0)


def test_a_sleep_that_ends_early_is_no_lag_and_none_at_all_is_none() -> None:
    health = Health()
    assert health.loop_lag_p99_ms == 0.0
    health.overslept(PAUSE_S / 2)
    assert health.loop_lag_p99_ms == 0.0


def test_processor_time_is_told_of_the_window_alone() -> None:
    health = Health()
    until_s = time.process_time() + 0.1
    while time.process_time() < until_s:
        pass
    health.close()
    assert 0 < health.cpu_share <= 1.05


def test_the_collector_is_off_while_something_is_measured() -> None:
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
