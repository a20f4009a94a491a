"""The tables of runs and of their levels, and the columns of these: of a page, and of a CSV file."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from loadtest.report.table import Table, without_empty_columns
from loadtest.report.wording import MISSING, number, threshold_text
from loadtest.results.comparison import CandidateReport, Report, Run
from loadtest.results.levels import LevelResult
from loadtest.results.phases import PHASES

Cell = str | int | float | None


def _phase(name: str, level: LevelResult) -> Cell:
    return level.phases_ms.get(name)


LEVEL_COLUMNS: dict[str, Callable[[LevelResult], Cell]] = {
    "users": lambda level: round(level.at) if level.at == round(level.at) else level.at,
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
    "late": lambda level: level.late,
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

_HEADINGS = {
    "users": "users",
    "duration_s": "measured, s",
    "attempts": "requests",
    "timeout": "timed out",
    "unserved_share": "unserved",
    "censored": "unanswered at the end",
    "ok_per_s": "ok answers/s",
    "offered_per_s": "requests/s",
    "p50_ms": "p50, ms",
    "p95_ms": "p95, ms",
    "p99_ms": "p99, ms",
    "mean_ms": "mean, ms",
    "generator_cpu_share": "generator, of a core",
    "send_lag_p99_ms": "sent late (p99), ms",
    "loop_lag_p99_ms": "loop late (p99), ms",
    "little_error": "Little's law, error",
}


def level_table(report: Report, columns: Sequence[str]) -> Table:
    """One row for each level of each run, by candidate and rising users; a level that is doubted says so."""
    many = any(len(candidate.runs) > 1 for candidate in report.candidates)
    rows = tuple(
        (candidate.name, *([str(run.block + 1)] if many else []), *_cells(level, columns), _belief(level))
        for candidate in report.candidates
        for run in candidate.runs
        for level in sorted(run.levels, key=lambda level: level.at)
    )
    headings = (_HEADINGS.get(name, name) for name in columns)
    return Table(("candidate", *(["block"] if many else []), *headings, "used"), rows)


def _cells(level: LevelResult, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell_text(name, LEVEL_COLUMNS[name](level)) for name in columns)


def _belief(level: LevelResult) -> str:
    return "yes" if level.is_sound else "no"


def cell_text(column: str, value: Cell) -> str:
    """A share in percent, a count with its thousands, anything else with three digits."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if column.endswith(("_share", "_error")):
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else number(value)


def doubts_table(report: Report) -> Table:
    """Each reason for which a level is not used, with the candidate and the level."""
    rows = tuple(
        (name, str(run.block + 1), where, doubt)
        for name, run in _named_runs(report)
        for where, level in _levels_of(run)
        for doubt in level.doubts
    )
    return Table(("candidate", "block", "level", "reason"), rows)


def _named_runs(report: Report) -> Iterator[tuple[str, Run]]:
    for place, candidate in enumerate(report.candidates):
        yield from ((candidate.name, run) for run in candidate.runs)
        if place == 0:
            yield from ((canary_name(candidate), run) for run in report.canary)


def canary_name(first: CandidateReport) -> str:
    """The first candidate, measured a second time."""
    return f"{first.name} again (canary)"


def named_runs(report: Report) -> tuple[tuple[str, Run], ...]:
    """All runs with the names of their candidates, the canary's after those of the first."""
    return tuple(_named_runs(report))


def _levels_of(run: Run) -> Iterator[tuple[str, LevelResult]]:
    """Every level of a run with where it is: at 8 users, at 12.5 requests/s."""
    yield from ((users_text(level.at), level) for level in run.levels)
    rates = run.rates if run.common_rate is None else (run.common_rate, *run.rates)
    yield from ((f"{number(level.at)} requests/s", level) for level in rates)


def users_text(count: float) -> str:
    return f"{count:g} user{'s' if count != 1 else ''}"


def runs_table(report: Report) -> Table:
    """Each run with its place in the order, by block."""
    rows = [
        (
            name,
            str(run.block + 1),
            str(run.place + 1),
            run.started or MISSING,
            threshold_text(run.threshold, "users") if run.threshold else MISSING,
            number(run.cpu_s_per_1000),
            f"{run.steal_share:.1%}" if run.steal_share is not None else MISSING,
            run.failure or MISSING,
        )
        for name, run in sorted(named_runs(report), key=lambda pair: (pair[1].block, pair[1].place))
    ]
    header = ("candidate", "block", "place", "started", "threshold (95%)", "CPU of 1000 answers, s")
    return without_empty_columns(Table((*header, "steal", "failure"), tuple(rows)), MISSING)
