import pytest

from loadtest.statistics.gates import Doubts, doubts_of, most_little_error
from tests.loadtest.examples import level


def test_doubts_name_each_reason() -> None:
    doubted = level(4, generator_cpu_share=0.95, little_error=0.12, failed=30, send_lag_p99_ms=9.0)
    words = "95%", "9.0 ms late", "12%", "30 requests failed", "it drifted"
    assert [word for word in words if word in " ".join(doubts_of(doubted, "it drifted.").all)] == list(words)
    assert doubts_of(level(4)) == Doubts()


def test_a_generator_may_use_most_of_a_core() -> None:
    assert doubts_of(level(4, generator_cpu_share=0.81)).other
    assert not doubts_of(level(4, generator_cpu_share=0.80)).other


def test_failures_are_told_from_what_is_wrong_with_the_measurement() -> None:
    assert doubts_of(level(4, failed=30)) == Doubts(broken=("30 requests failed.",))
    assert doubts_of(level(4, attempts=0, failed=0)).other == ("it measured no request.",)


def test_a_single_user_with_long_pauses_may_be_further_off_littles_law() -> None:
    one, many = level(1, think_ms=1000.0, little_error=0.3), level(64, think_ms=1000.0, little_error=0.3)
    assert not doubts_of(one).other
    assert doubts_of(many).other
    assert most_little_error(many) == pytest.approx(0.05, abs=0.04)
