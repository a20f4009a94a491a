"""One level summarised: counts, rates, percentiles of the answers, and whether the numbers can be believed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtest.crossing import Slice, Visit
from loadtest.records import Outcome, RequestRow

# The smallest samples for which the order statistics bound the percentile from both sides at 95 %.
MIN_FOR_P95 = 72
MIN_FOR_P99 = 368

SUSPECT_CPU_SHARE = 0.8
LITTLE_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class LevelWindow:
    """The measured part of a level; times in seconds on the campaign's clock."""

    users: int
    t_start_s: float
    t_end_s: float
    steady: bool
    in_flight: int
    """Requests without an answer when the window closed; they are counted in no level's percentiles."""
    generator_cpu_share: float
    """Processor time of the generator per second, as a share of one core."""

    @property
    def duration_s(self) -> float:
        return self.t_end_s - self.t_start_s


@dataclass(frozen=True, slots=True)
class LevelResult:
    """What one number of users got. Percentiles are of the ok answers alone and None where too few were measured."""

    users: int
    duration_s: float
    steady: bool
    attempts: int
    ok: int
    rejected: int
    failed: int
    timeout: int
    censored: int
    """Requests still in flight when the window closed."""
    offered_per_s: float
    ok_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    queue_ms: float | None
    """Mean time in the server's queue, as the server states it."""
    tokenize_ms: float | None
    infer_ms: float | None
    think_ms: float | None
    """Mean of the pauses drawn."""
    generator_cpu_share: float
    little_error: float
    """|N - X (R + Z)| / N over all attempts (Little's law); above 5 % records are missing or the generator was late."""
    slices: tuple[Slice, ...] = ()
    """Second by second."""
    visits: int = 1
    """How often the level was visited; the figures are of all visits together."""

    @property
    def rejected_share(self) -> float:
        return self.rejected / self.attempts if self.attempts else 0.0

    @property
    def unserved_share(self) -> float:
        """Everything that was not answered ok, as a share of the attempts."""
        return 1 - self.ok / self.attempts if self.attempts else 0.0

    @property
    def visit(self) -> Visit:
        """What it says of the threshold. A level that was kept without its seconds is taken as a single one."""
        return Visit(self.users, self.slices or (Slice(self.attempts, self.attempts - self.ok),))

    @property
    def suspect(self) -> bool:
        """Whether the generator was too busy for its own clock to be trusted."""
        return self.generator_cpu_share > SUSPECT_CPU_SHARE

    @property
    def doubts(self) -> tuple[str, ...]:
        """Reasons not to lean on this level, one sentence each."""
        reasons = {
            f"the generator used {self.generator_cpu_share:.0%} of a core.": self.suspect,
            "it was not steady, or too few requests were sent, when its time was up.": not self.steady,
            f"Little's law is off by {self.little_error:.0%}.": self.little_error > LITTLE_TOLERANCE,
            f"{self.failed} requests failed and {self.timeout} timed out.": self.failed + self.timeout > 0,
        }
        return tuple(reason for reason, applies in reasons.items() if applies)


def in_window(row: RequestRow, t_start_s: float, t_end_s: float) -> bool:
    """A request belongs to the window in which its answer came, so nothing in flight at a boundary is lost."""
    return t_start_s <= row.t_done_s < t_end_s


def percentile_ms(response_ms: Sequence[float], percent: float, min_count: int = 1) -> float | None:
    """The percentile with linear interpolation, or None for fewer than `min_count` values."""
    return float(np.percentile(response_ms, percent)) if len(response_ms) >= min_count else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def little_error(users: int, duration_s: float, rows: Sequence[RequestRow]) -> float:
    """Relative error of N = X (R + Z), with X (R + Z) taken as the sum of all cycles divided by the duration.

    Little, "A Proof for the Queuing Formula L = λW", Operations Research 9 (1961).
    """
    cycles_s = sum(row.think_s + row.response_ms / 1e3 for row in rows)
    return abs(users - cycles_s / duration_s) / users


def seconds_of(window: LevelWindow, rows: Sequence[RequestRow]) -> tuple[Slice, ...]:
    """The attempts and the unserved of each second of the window; a last one that is not whole is left out."""
    counts = np.zeros((int(window.duration_s), 2), dtype=int)
    for row in rows:
        second = int(row.t_done_s - window.t_start_s)
        if second < len(counts):
            counts[second] += (1, row.outcome != "ok")
    return tuple(Slice(int(attempts), int(unserved)) for attempts, unserved in counts)


def summarise_level(window: LevelWindow, rows: Sequence[RequestRow]) -> LevelResult:
    """Summarise the rows whose answers came inside the window; rows outside it are skipped."""
    return summarise_visits([(window, rows)])


def summarise_visits(visits: Sequence[tuple[LevelWindow, Sequence[RequestRow]]]) -> LevelResult:
    """One result of all visits to a level, each with its window; of no window are rows outside it counted."""
    visits = [
        (window, [row for row in rows if in_window(row, window.t_start_s, window.t_end_s)]) for window, rows in visits
    ]
    windows, rows = [window for window, _ in visits], [row for _, some in visits for row in some]
    duration_s = sum(window.duration_s for window in windows)
    ok = [row for row in rows if row.outcome == "ok"]
    ok_ms = [row.response_ms for row in ok]

    def count(outcome: Outcome) -> int:
        return sum(row.outcome == outcome for row in rows)

    return LevelResult(
        users=windows[0].users,
        duration_s=duration_s,
        steady=all(window.steady for window in windows),
        attempts=len(rows),
        ok=len(ok),
        rejected=count("rejected"),
        failed=count("failed"),
        timeout=count("timeout"),
        censored=sum(window.in_flight for window in windows),
        offered_per_s=len(rows) / duration_s,
        ok_per_s=len(ok) / duration_s,
        p50_ms=percentile_ms(ok_ms, 50),
        p95_ms=percentile_ms(ok_ms, 95, MIN_FOR_P95),
        p99_ms=percentile_ms(ok_ms, 99, MIN_FOR_P99),
        queue_ms=_mean([row.queue_ms for row in ok]),
        tokenize_ms=_mean([row.tokenize_ms for row in ok]),
        infer_ms=_mean([row.infer_ms for row in ok]),
        think_ms=_mean([row.think_s * 1e3 for row in rows]),
        generator_cpu_share=max(window.generator_cpu_share for window in windows),
        little_error=little_error(windows[0].users, duration_s, rows),
        slices=tuple(one for window, some in visits for one in seconds_of(window, some)),
        visits=len(visits),
    )
