from loadtest.statistics.gates import doubts_of
from tests.loadtest.examples import level


def test_doubts_name_each_reason() -> None:
    doubted = level(4, generator_cpu_share=0.95, little_error=0.12, failed=30, send_lag_p99_ms=9.0)
    words = "95%", "9.0 ms late", "12%", "30 requests failed", "it drifted"
    assert [word for word in words if word in " ".join(doubts_of(doubted, "it drifted."))] == list(words)
    assert doubts_of(level(4)) == ()


def test_a_generator_may_use_most_of_a_core() -> None:
    assert doubts_of(level(4, generator_cpu_share=0.81))
    assert not doubts_of(level(4, generator_cpu_share=0.80))
