"""From the requests of a level's visits to its figures: counts, rates, percentiles of the answers, phases."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from loadtest.results.levels import LevelResult, VisitWindow, Window
from loadtest.results.phases import PHASES
from loadtest.results.records import Outcome, RequestRow
from loadtest.results.slo import Slo
from loadtest.results.visits import Slice
from loadtest.statistics.gates import doubts_of

# The smallest samples for which the order statistics bound the percentile from both sides at 95 %.
MIN_FOR_P95 = 72
MIN_FOR_P99 = 368


@dataclass(frozen=True, slots=True)
class VisitRows:
    """A visit with the requests whose answers came inside its window."""

    visit: VisitWindow
    rows: Sequence[RequestRow]


def visit_rows(visit: VisitWindow, rows: Iterable[RequestRow]) -> VisitRows:
    """The visit with those of `rows` that are its own."""
    return VisitRows(visit, [row for row in rows if in_window(row, visit.window)])


def due_rows(visit: VisitWindow, rows: Iterable[RequestRow]) -> VisitRows:
    """The visit with those of `rows` that were due inside its window, whenever they were answered."""
    return VisitRows(visit, [row for row in rows if is_due_in(row, visit.window)])


def is_due_in(row: RequestRow, window: Window) -> bool:
    return window.t_start_s <= row.t_due_s < window.t_end_s


def in_window(row: RequestRow, window: Window) -> bool:
    """A request belongs to the window in which its answer came, so nothing in flight at a boundary is lost."""
    return window.t_start_s <= row.t_done_s < window.t_end_s


def percentile_ms(times_ms: Sequence[float], percent: float, min_count: int = 1) -> float | None:
    """The percentile with linear interpolation, or None for fewer than `min_count` values."""
    return float(np.percentile(times_ms, percent)) if len(times_ms) >= min_count else None


def little_error(users: float, duration_s: float, rows: Sequence[RequestRow]) -> float:
    """Relative error of N = X (R + Z), with X (R + Z) taken as the sum of all cycles divided by the duration.

    Little, "A Proof for the Queuing Formula L = λW", Operations Research 9 (1961).
    """
    cycles_s = sum(row.think_s + row.response_ms / 1e3 for row in rows)
    return abs(users - cycles_s / duration_s) / users


def summarise_visits(visits: Sequence[VisitRows], slo: Slo | None = None, *, closed_loop: bool = True) -> LevelResult:
    """One result of the visits to a level that pass the gates; where none does, of those in which all that is doubted
    is that requests failed, or else of all, with the doubts.

    The rows of a visit of the closed loop are those answered inside its window (`visit_rows`), of the open loop those
    due inside it (`due_rows`). Its seconds are also those of visits in which requests failed (see
    `loadtest.statistics.gates`).
    """
    doubts = [doubts_of(_summary([visit], slo, closed_loop), visit.visit.unsteady) for visit in visits]
    sound = [visit for visit, found in zip(visits, doubts, strict=True) if not found.all]
    counted = [visit for visit, found in zip(visits, doubts, strict=True) if not found.other]
    reasons = () if sound else tuple(dict.fromkeys(reason for found in doubts for reason in found.all))
    return replace(
        _summary(sound or counted or visits, slo, closed_loop),
        slices=tuple(one for visit in counted or visits for one in _seconds(visit, closed_loop)),
        late_slices=tuple(one for visit in counted or visits for one in _seconds(visit, closed_loop, slo))
        if slo
        else (),
        doubts=reasons,
        doubtful_visits=len(visits) - len(sound),
        only_failures=bool(counted) and not sound,
    )


def _summary(visits: Sequence[VisitRows], slo: Slo | None, closed_loop: bool) -> LevelResult:
    at, rows = visits[0].visit.at, [row for visit in visits for row in visit.rows]
    duration_s = sum(one.visit.window.duration_s for one in visits)
    ok = [row for row in rows if row.outcome == "ok"]
    ok_ms = [row.response_ms for row in ok]

    def count(outcome: Outcome) -> int:
        return sum(row.outcome == outcome for row in rows)

    return LevelResult(
        at=at,
        duration_s=duration_s,
        attempts=len(rows),
        ok=len(ok),
        rejected=count("rejected"),
        failed=count("failed"),
        timeout=count("timeout"),
        censored=sum(one.visit.in_flight for one in visits),
        late=sum(row.response_ms > slo.limit_ms for row in ok) if slo else 0,
        offered_per_s=len(rows) / duration_s,
        ok_per_s=len(ok) / duration_s,
        mean_ms=_mean(ok_ms),
        p50_ms=percentile_ms(ok_ms, 50),
        p95_ms=percentile_ms(ok_ms, 95, MIN_FOR_P95),
        p99_ms=percentile_ms(ok_ms, 99, MIN_FOR_P99),
        think_ms=_mean([row.think_s * 1e3 for row in rows]) if closed_loop else None,
        generator_cpu_share=max(one.visit.generator_cpu_share for one in visits),
        send_lag_p99_ms=percentile_ms([row.lag_ms for row in rows], 99) or 0.0,
        loop_lag_p99_ms=max(one.visit.loop_lag_p99_ms for one in visits),
        little_error=little_error(at, duration_s, rows) if closed_loop else 0.0,
        phases_ms=_mean_phases(ok),
        windows=tuple(one.visit.window for one in visits),
        not_sent=sum(one.visit.not_sent for one in visits),
    )


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _mean_phases(ok: Sequence[RequestRow]) -> dict[str, float]:
    """Of the answers that state their phases; a phase that only some of them have is left out."""
    stated = [found for row in ok if (found := row.phases_ms)]
    names = [name for name in PHASES if stated and all(name in one for one in stated)]
    return {name: float(np.mean([one[name] for one in stated])) for name in names}


def _seconds(visit: VisitRows, closed_loop: bool, slo: Slo | None = None) -> list[Slice]:
    """The attempts and the bad of each second of the window; a last one that is not whole is left out.

    In the open loop a request belongs to the second in which it was due, as its outcome may come after the window.
    """
    window = visit.visit.window
    # The ends of a window are sums of decimals: a whole number of seconds may be a hair less.
    counts = np.zeros((int(window.duration_s + 1e-6), 2), dtype=int)
    for row in visit.rows:
        second = int((row.t_done_s if closed_loop else row.t_due_s) - window.t_start_s)
        if second < len(counts):
            counts[second] += (1, row.outcome != "ok" or (slo is not None and row.response_ms > slo.limit_ms))
    return [Slice(int(attempts), int(bad)) for attempts, bad in counts]
