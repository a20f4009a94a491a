"""The CSV files of a report; units are in the names of the columns, and a cell is empty for what was not measured."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtest.report.common import CommonLoad, common_load
from loadtest.report.level_tables import LEVEL_COLUMNS, Cell, named_runs
from loadtest.report.summary import ratio_to_first
from loadtest.report.verdict_words import mark_of
from loadtest.report.wording import further_names
from loadtest.results.comparison import CandidateReport, Difference, Quality, Report, Run
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.statistics.accuracy import quality_difference
from loadtest.statistics.cost import cost_of
from loadtest.statistics.front import front_of
from loadtest.statistics.repeats import rate_threshold_over, threshold_over
from loadtest.statistics.verdict import Verdict, verdict_of


def write_csv_files(report: Report, folder: Path) -> None:
    """`summary.csv`, a row per candidate; `runs.csv`, per run; `levels.csv`, per level of a run."""
    found, load, front = verdict_of(report), common_load(report), front_of(report).names
    summary = [_summary(report, one, found, load, one.name in front) for one in report.candidates]
    _write(folder / "summary.csv", summary)
    runs = [{"candidate": name, **_run(run)} for name, run in named_runs(report)]
    _write(folder / "runs.csv", runs or [{"candidate": None}])
    _write(folder / "levels.csv", list(_levels(report)) or [{"candidate": None}])


def _write(path: Path, rows: Sequence[dict[str, Cell]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _levels(report: Report) -> Iterator[dict[str, Cell]]:
    for name, run in named_runs(report):
        for loop, level in _levels_of(run):
            cells = {column: read(level) for column, read in LEVEL_COLUMNS.items()}
            users = None if loop == "open" else cells.pop("users")
            rate = cells.pop("users") if loop == "open" else None
            place: dict[str, Cell] = {"candidate": name, "block": run.block + 1, "loop": loop}
            yield {**place, "users": users, "rate_per_s": rate, **cells, "doubts": " ".join(level.doubts)}


def _levels_of(run: Run) -> Iterator[tuple[str, LevelResult]]:
    yield from (("closed", level) for level in run.levels)
    yield from (("open", level) for level in ((run.common_rate,) if run.common_rate else ()) + run.rates)


def _run(run: Run) -> dict[str, Cell]:
    return {
        "block": run.block + 1,
        "place": run.place + 1,
        "started": run.started,
        **_threshold("throttling", "users", run.threshold),
        **_threshold("objective", "per_s", run.rate_threshold),
        "common_rate_p95_ms": run.common_rate.p95_ms if run.common_rate else None,
        "cpu_s_per_1000": run.cpu_s_per_1000,
        "steal_share": run.steal_share,
        "failure": run.failure,
    }


def _threshold(name: str, unit: str, threshold: Threshold | None) -> dict[str, Cell]:
    low, high = threshold.interval if threshold else (None, None)
    at, text = (threshold.at, threshold.text) if threshold else (None, None)
    return {f"{name}_{unit}": at, f"{name}_low": low, f"{name}_high": high, f"{name}_text": text}


def _summary(
    report: Report, candidate: CandidateReport, found: Verdict, load: CommonLoad, on_front: bool
) -> dict[str, Cell]:
    ratio = None if candidate is report.candidates[0] else ratio_to_first(report, candidate)
    p95, cost = load.p95_ms(candidate.name), cost_of(report, candidate)
    rates = rate_threshold_over(candidate.runs) if report.slo else None
    return {
        "candidate": candidate.name,
        "variant": candidate.variant,
        "backend": candidate.backend,
        "precision": candidate.precision,
        "verdict": mark_of(report, candidate, found),
        **_threshold("throttling", "users", threshold_over(candidate.runs)),
        "ratio_to_first": ratio.value if ratio else None,
        "ratio_to_first_low": ratio.interval[0] if ratio else None,
        "ratio_to_first_high": ratio.interval[1] if ratio else None,
        **_qualities(report, candidate),
        "common_p95_ms": p95.value if p95 else None,
        "common_load": load.where.removeprefix("at "),
        **_threshold("objective", "per_s", rates),
        "cost_per_million": cost.per_million if cost else None,
        "cpu_s_per_1000": cost.cpu_s_per_1000 if cost else None,
        "size_bytes": candidate.size_bytes,
        "parameters": candidate.parameters,
        "nonzero": candidate.nonzero,
        "macs_per_token": candidate.macs_per_token,
        "made_in_s": candidate.made_in_s,
        "on_front": int(on_front),
    }


def _qualities(report: Report, candidate: CandidateReport) -> dict[str, Cell]:
    quality, first = candidate.quality, report.candidates[0]
    further = further_names(one.quality for one in report.candidates)
    low, high = (quality and quality.interval) or (None, None)
    against = quality.against_dense if quality else None
    paired = _paired(quality, first.quality) if candidate is not first else None
    return {
        "quality": quality.value if quality else None,
        "quality_metric": quality.metric if quality else None,
        "quality_examples": quality.n if quality else None,
        "quality_low": low,
        "quality_high": high,
        **{name.lower().replace(" ", "_"): quality.further.get(name) if quality else None for name in further},
        "against_first": paired.value if paired else None,
        "against_first_low": paired.interval[0] if paired else None,
        "against_first_high": paired.interval[1] if paired else None,
        "against_first_p": paired.p if paired else None,
        "against_dense": against.value if against else None,
        "against_dense_low": against.interval[0] if against else None,
        "against_dense_high": against.interval[1] if against else None,
        "against_dense_p": against.p if against else None,
        "agreement_with_dense": against.agreement if against else None,
    }


def _paired(ours: Quality | None, theirs: Quality | None) -> Difference | None:
    return quality_difference(ours, theirs) if ours and theirs else None
