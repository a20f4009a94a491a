import pytest

from loadtest.results.records import Outcome, classify, parse_server_timing, rows_since
from tests.loadtest.examples import row


@pytest.mark.parametrize(
    ("status", "retry_after", "timed_out", "broken", "outcome"),
    [
        (200, False, False, False, "ok"),
        (204, False, False, False, "ok"),
        (429, False, False, True, "rejected"),
        (503, True, False, True, "rejected"),
        (503, False, False, True, "failed"),
        (500, True, False, True, "failed"),
        (302, False, False, False, "failed"),
        (404, False, False, True, "failed"),
        (0, False, False, True, "failed"),
        (200, False, False, True, "failed"),
        (0, False, True, True, "timeout"),
        (200, False, True, True, "timeout"),
    ],
)
def test_answers_are_classed(status: int, retry_after: bool, timed_out: bool, broken: bool, outcome: Outcome) -> None:
    assert classify(status, retry_after=retry_after, timed_out=timed_out, broken=broken) == outcome


@pytest.mark.parametrize(
    ("header", "timings"),
    [
        ("queue;dur=1.2, tokenize;dur=0.1, infer;dur=3.4", {"queue": 1.2, "tokenize": 0.1, "infer": 3.4}),
        ("queue;dur=1.2,infer;dur=3", {"queue": 1.2, "infer": 3.0}),
        ('infer;desc="the engine";dur=3.4', {"infer": 3.4}),
        ("cache-hit, infer;dur=2", {"infer": 2.0}),
        ("", {}),
    ],
)
def test_server_timing_is_parsed(header: str, timings: dict[str, float]) -> None:
    assert parse_server_timing(header) == timings


def test_rows_since_starts_at_the_first_answer_not_before_the_time() -> None:
    rows = [row(1.0), row(2.0), row(3.0)]
    assert rows_since(rows, 1.5) == rows[1:]
    assert rows_since(rows, 9.0) == []
