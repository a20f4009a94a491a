"""Levels, rows and reports with plain numbers, for tests to vary."""

from collections.abc import Sequence
from typing import Any

from loadtest.results.comparison import CandidateReport, Quality, Report, Run
from loadtest.results.levels import LevelResult
from loadtest.results.records import Outcome, RequestRow
from loadtest.statistics.threshold import throttling_threshold


def row(t_done_s: float, response_ms: float = 10.0, outcome: Outcome = "ok", think_s: float = 0.1) -> RequestRow:
    status = {"ok": 200, "rejected": 429, "failed": 500, "timeout": 0}[outcome]
    return RequestRow(0, 0, think_s, t_done_s - response_ms / 1e3, 0.0, response_ms, status, outcome)


def level(at: float, rejected_share: float = 0.0, **changes: Any) -> LevelResult:
    attempts = changes.pop("attempts", 4000)
    rejected = round(attempts * rejected_share)
    numbers: dict[str, Any] = {
        "at": at,
        "duration_s": 10.0,
        "attempts": attempts,
        "ok": attempts - rejected,
        "rejected": rejected,
        "failed": 0,
        "timeout": 0,
        "censored": 0,
        "offered_per_s": attempts / 10,
        "ok_per_s": (attempts - rejected) / 10,
        "p50_ms": 10.0,
        "p95_ms": 20.0,
        "p99_ms": 30.0,
        "mean_ms": 12.0,
        "late": 0,
        "phases_ms": {"transport": 2.0, "tokenize": 0.1, "queue": 1.0, "infer": 8.0, "unattributed": 0.9},
        "send_lag_p99_ms": 0.2,
        "loop_lag_p99_ms": 0.2,
        "think_ms": 100.0,
        "generator_cpu_share": 0.2,
        "little_error": 0.01,
    }
    return LevelResult(**{**numbers, **changes})


def run(levels: Sequence[LevelResult], block: int = 0, **more: Any) -> Run:
    return Run(block, 0, "2026-01-02T03:04:05Z", tuple(levels), throttling_threshold(levels), **more)


def candidate(
    name: str, levels: Sequence[LevelResult], value: float | None = 0.9, metric: str = "accuracy"
) -> CandidateReport:
    variant, backend = name.split("@")
    quality = None if value is None else Quality(value, metric, n=872, dataset="sst2")
    return CandidateReport(name, variant, backend, (run(levels),), quality, 24_000_000)


def report(*candidates: CandidateReport) -> Report:
    return Report(candidates, think_time_s=0.1, conditions={"processor": "two cores"}, created="2026-01-02T03:04:05Z")


def two_candidates() -> Report:
    """dense@torch throttles at 52 users, int8@openvino at none of the levels."""
    dense = [
        level(16, p95_ms=40.0),
        level(32, p95_ms=62.0),
        level(50, 0.005, p95_ms=90.0),
        level(54, 0.02, p95_ms=99.0),
    ]
    int8 = [level(16, p95_ms=15.0), level(32, p95_ms=20.0), level(64, p95_ms=30.0)]
    return report(candidate("dense@torch", dense, 0.902), candidate("int8@openvino", int8, 0.900))
