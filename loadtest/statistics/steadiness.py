"""When a level has been watched long enough."""

import math
from collections.abc import Sequence

from loadtest.plan.settings import Campaign
from loadtest.results.records import RequestRow, rows_since
from loadtest.statistics.levels import MIN_FOR_P95, percentile_ms

SUB_WINDOWS = 3
_TOLERANCE = 0.10
# 95 % point of the range of three independent normals in units of their deviation (studentized range, k=3, df=inf).
_RANGE_OF_THREE = 3.31


def is_steady(campaign: Campaign, rows: Sequence[RequestRow], t_start_s: float, now_s: float) -> bool:
    """Whether the last three sub-windows agree on throughput and p95 of the ok answers, and enough was seen.

    The rule is that of Triton's perf_analyzer: max/min <= 1.10 over the last three windows; here a window is a third of
    `min_dwell_s`. Few answers scatter by more than that even in a steady state, so with n answers in the smallest
    sub-window the tolerance is at least 3.31 / sqrt(n). Below 72 answers the median is used instead of the p95.
    """
    if now_s - t_start_s < campaign.min_dwell_s:
        return False
    if len(rows_since(rows, t_start_s)) < campaign.min_attempts:
        return False
    windows = _last_windows(rows, now_s - campaign.min_dwell_s, campaign.min_dwell_s / SUB_WINDOWS)
    smallest = min(len(window) for window in windows)
    if smallest == 0:
        # An endpoint that rejects everything is steady in what it does.
        return not any(windows)
    tolerance = max(_TOLERANCE, _RANGE_OF_THREE / math.sqrt(smallest))
    percent = 95 if smallest >= MIN_FOR_P95 else 50
    tails_ms = [percentile_ms(window, percent) or 0.0 for window in windows]
    return _agree([len(window) for window in windows], tolerance) and _agree(tails_ms, tolerance)


def _last_windows(rows: Sequence[RequestRow], start_s: float, width_s: float) -> tuple[list[float], ...]:
    """Response times of the ok answers in each sub-window, ms."""
    windows: tuple[list[float], ...] = tuple([] for _ in range(SUB_WINDOWS))
    for row in rows_since(rows, start_s):
        place = math.floor((row.t_done_s - start_s) / width_s)
        if row.outcome == "ok" and 0 <= place < SUB_WINDOWS:
            windows[place].append(row.response_ms)
    return windows


def _agree(values: Sequence[float], tolerance: float) -> bool:
    return max(values) <= (1 + tolerance) * min(values)
