"""The tables of a report: text in rows, for a page or a CSV file."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loadtest.report.summary import SummaryRow, compared_qualities, pareto_points, report_metric, summary_rows
from loadtest.report.wording import further_names, number, quality_text
from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.levels import LevelResult
from loadtest.results.phases import PHASES
from loadtest.statistics.repeats import threshold_over

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Table:
    """Header and rows of text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def _phase(name: str, level: LevelResult) -> Cell:
    return level.phases_ms.get(name)


_LEVEL_COLUMNS: dict[str, Callable[[LevelResult], Cell]] = {
    "users": lambda level: level.users,
    "duration_s": lambda level: level.duration_s,
    "sound": lambda level: int(level.is_sound),
    "visits": lambda level: level.visits,
    "doubtful_visits": lambda level: level.doubtful_visits,
    "attempts": lambda level: level.attempts,
    "ok": lambda level: level.ok,
    "rejected": lambda level: level.rejected,
    "failed": lambda level: level.failed,
    "timeout": lambda level: level.timeout,
    "censored": lambda level: level.censored,
    "unserved_share": lambda level: level.unserved_share,
    "offered_per_s": lambda level: level.offered_per_s,
    "ok_per_s": lambda level: level.ok_per_s,
    "p50_ms": lambda level: level.p50_ms,
    "p95_ms": lambda level: level.p95_ms,
    "p99_ms": lambda level: level.p99_ms,
    "mean_ms": lambda level: level.mean_ms,
    **{f"{name}_ms": partial(_phase, name) for name in PHASES},
    "think_ms": lambda level: level.think_ms,
    "generator_cpu_share": lambda level: level.generator_cpu_share,
    "send_lag_p99_ms": lambda level: level.send_lag_p99_ms,
    "loop_lag_p99_ms": lambda level: level.loop_lag_p99_ms,
    "little_error": lambda level: level.little_error,
}

# Columns of the table under each chart, with their headings.
_CHART_COLUMNS: dict[str, dict[str, str]] = {
    "response-time": {
        "users": "users",
        "p50_ms": "p50, ms",
        "p95_ms": "p95, ms",
        "p99_ms": "p99, ms",
        "queue_ms": "mean in the server's queue, ms",
        "tokenize_ms": "mean tokenizing, ms",
        "infer_ms": "mean inference, ms",
    },
    "unserved-share": {
        "users": "users",
        "attempts": "attempts",
        "rejected": "rejected",
        "unserved_share": "unserved share",
        "failed": "failed",
        "timeout": "timed out",
        "censored": "unanswered at the end",
    },
    "throughput": {
        "users": "users",
        "ok_per_s": "ok answers/s",
        "offered_per_s": "attempts/s",
        "duration_s": "measured, s",
        "generator_cpu_share": "generator, share of a core",
        "little_error": "Little's law error",
    },
}


def chart_table(report: Report, chart: str) -> Table:
    """The numbers behind one chart, one row per candidate and level."""
    if chart == "quality":
        return _pareto_table(report)
    columns = _CHART_COLUMNS[chart]
    rows = tuple(
        (candidate.name, *(_cell(name, _LEVEL_COLUMNS[name](level)) for name in columns))
        for candidate in report.candidates
        for level in sorted(candidate.levels, key=lambda level: level.users)
    )
    return Table(("candidate", *columns.values()), rows)


def _pareto_table(report: Report) -> Table:
    front = {row.name for row in summary_rows(report) if row.on_front}
    qualities = compared_qualities(report)
    rows = tuple(
        (
            name,
            number(p95_ms),
            quality_text(qualities[name], decimals=2),
            number(qualities[name].n),
            "yes" if name in front else "no",
        )
        for name, (p95_ms, _) in pareto_points(report).items()
    )
    return Table(("candidate", "p95, ms", report_metric(report) or "quality", "examples", "on the front"), rows)


def _cell(column: str, value: Cell) -> str:
    if isinstance(value, float) and column.endswith(("_share", "_error")):
        return f"{value:.1%}"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else number(value)


def write_levels_csv(report: Report, path: Path) -> None:
    """One row per candidate and level with every number that was measured; units in the names of the columns."""
    rows = [
        (candidate.name, *(read(level) for read in _LEVEL_COLUMNS.values()))
        for candidate in report.candidates
        for level in candidate.levels
    ]
    _write_csv(path, ("candidate", *_LEVEL_COLUMNS), rows)


def write_summary_csv(report: Report, path: Path) -> None:
    """One row per candidate; empty cells for what was not measured."""
    further = further_names(candidate.quality for candidate in report.candidates)
    rows = [_summary_cells(*pair, further) for pair in zip(report.candidates, summary_rows(report), strict=True)]
    _write_csv(path, tuple(rows[0]), [tuple(row.values()) for row in rows])


def _summary_cells(candidate: CandidateReport, row: SummaryRow, further: Sequence[str]) -> dict[str, Cell]:
    quality = candidate.quality
    low, high = (quality and quality.interval) or (None, None)
    against = quality.against_dense if quality else None
    return {
        "candidate": candidate.name,
        "variant": candidate.variant,
        "backend": candidate.backend,
        "precision": candidate.precision,
        "quality": quality.value if quality else None,
        "quality_metric": quality.metric if quality else None,
        "quality_examples": quality.n if quality else None,
        "quality_low": low,
        "quality_high": high,
        **{name.lower().replace(" ", "_"): quality.further.get(name) if quality else None for name in further},
        "against_dense": against.value if against else None,
        "against_dense_low": against.interval[0] if against else None,
        "against_dense_high": against.interval[1] if against else None,
        "against_dense_p": against.p if against else None,
        "agreement_with_dense": against.agreement if against else None,
        "size_bytes": candidate.size_bytes,
        "parameters": candidate.parameters,
        "nonzero": candidate.nonzero,
        "macs_per_token": candidate.macs_per_token,
        "made_in_s": candidate.made_in_s,
        "light_p50_ms": row.light_p50_ms,
        "light_p95_ms": row.light_p95_ms,
        "common_p95_ms": row.common_p95_ms,
        "max_ok_per_s": row.max_ok_per_s,
        "throttling_users": threshold_over(candidate.runs).at,
        "throttling_low": threshold_over(candidate.runs).interval[0],
        "throttling_high": threshold_over(candidate.runs).interval[1],
        "throttling_text": threshold_over(candidate.runs).text,
        "on_front": int(row.on_front),
    }


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
