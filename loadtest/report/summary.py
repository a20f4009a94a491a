"""A report in rows: the columns that decide come first."""

from collections.abc import Mapping

from loadtest.report.common import CommonLoad, common_load
from loadtest.report.points import Spread
from loadtest.report.table import Table, without_empty_columns
from loadtest.report.verdict_words import mark_of, verdict_text
from loadtest.report.wording import (
    MISSING,
    bounds_text,
    cost_text,
    difference_texts,
    further_names,
    further_texts,
    interval_text,
    metrics_of,
    number,
    points_text,
    ratio_text,
    threshold_text,
    whole,
)
from loadtest.results.comparison import CandidateReport, Report
from loadtest.statistics.accuracy import quality_difference
from loadtest.statistics.bounds import threshold_bounds
from loadtest.statistics.cost import cost_of
from loadtest.statistics.ratios import Ratio, threshold_ratio
from loadtest.statistics.repeats import rate_threshold_over, threshold_over
from loadtest.statistics.verdict import Verdict, verdict_of


def verdict(report: Report) -> str:
    """What the numbers say, in a few sentences."""
    return verdict_text(report, verdict_of(report))


def summary_table(report: Report) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and rows as text, for a terminal or a page; without columns that say nothing."""
    table = summary(report, verdict_of(report))
    return table.header, table.rows


def summary(report: Report, found: Verdict) -> Table:
    """One row per candidate, in the report's order."""
    load = common_load(report)
    rows = [_cells(report, candidate, found, load) for candidate in report.candidates]
    table = Table(tuple(rows[0]), tuple(tuple(row.values()) for row in rows))
    return without_empty_columns(table, MISSING)


def _cells(report: Report, candidate: CandidateReport, found: Verdict, load: CommonLoad) -> Mapping[str, str]:
    first = report.candidates[0]
    is_first = candidate is first
    ours, theirs = candidate.quality, first.quality
    difference = quality_difference(ours, theirs) if ours and theirs and not is_first else None
    rates = threshold_text(rate_threshold_over(candidate.runs)) if report.slo else MISSING
    return {
        "candidate": candidate.name,
        "verdict": mark_of(report, candidate, found) if len(report.candidates) > 1 else MISSING,
        "throttles at, users (95%)": threshold_text(threshold_over(candidate.runs)),
        "users against the first (95%)": MISSING if is_first else _against_first(report, candidate),
        f"{metrics_of(report)} (95%)": interval_text(candidate.quality),
        "points against the first (95%)": points_text(difference) if difference else MISSING,
        f"p95 {load.where}, ms".replace(" ,", ","): spread_text(load.p95_ms(candidate.name)),
        f"requests/s within {report.slo} (95%)": rates,
        "cost of a million (95%)": cost_text(cost_of(report, candidate)),
        "size, MB": number(candidate.size_bytes / 1e6 if candidate.size_bytes is not None else None),
    }


def ratio_to_first(report: Report, candidate: CandidateReport) -> Ratio | None:
    """Of the thresholds."""
    return threshold_ratio(candidate.runs, report.candidates[0].runs)


def _against_first(report: Report, candidate: CandidateReport) -> str:
    ratio = ratio_to_first(report, candidate)
    return ratio_text(ratio) if ratio else bounds_text(threshold_bounds(candidate.runs, report.candidates[0].runs))


def spread_text(spread: Spread | None) -> str:
    """The mean, and behind it the least and the greatest of the runs: 52.1 [49.7 to 55]."""
    if spread is None:
        return MISSING
    span = f" [{number(spread.low)} to {number(spread.high)}]" if spread.runs > 1 else ""
    return f"{number(spread.value)}{span}"


def variants_table(report: Report) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and rows of what candidates are, and how sure their quality is; no rows where nothing of it is known."""
    further = further_names(candidate.quality for candidate in report.candidates)
    header = (
        "candidate",
        f"{metrics_of(report)} (95%)",
        *further,
        "against dense (95%)",
        "p",
        "agreement",
        "computes in",
        "parameters",
        "not zero",
        "MACs per token",
        "made in, s",
    )
    known = [one for one in report.candidates if one.parameters is not None or (one.quality and one.quality.interval)]
    table = Table(header, tuple(_variant_row(one, further) for one in report.candidates) if known else ())
    table = without_empty_columns(table, MISSING) if table.rows else table
    return table.header, table.rows


def _variant_row(candidate: CandidateReport, further: tuple[str, ...]) -> tuple[str, ...]:
    return (
        candidate.name,
        interval_text(candidate.quality),
        *further_texts(candidate.quality, further),
        *difference_texts(candidate.quality),
        candidate.precision or MISSING,
        whole(candidate.parameters),
        whole(candidate.nonzero),
        whole(candidate.macs_per_token),
        whole(candidate.made_in_s),
    )


def conditions_of(report: Report) -> dict[str, str]:
    """What a reader needs to judge and repeat the numbers, the settings of the report among them."""
    settings = {
        "Think time": f"{report.think_time_s:g} s on average",
        "Queue deadline": f"{1000 * report.queue_deadline_s:g} ms" if report.queue_deadline_s is not None else "",
        "Objective": str(report.slo or ""),
        "Common rate": f"{number(report.common_rate_per_s)} requests/s" if report.common_rate_per_s else "",
        "Price": f"{report.price_per_hour:g} per hour" if report.price_per_hour is not None else "",
        "Quality that may be lost": f"{100 * report.max_drop:g} % of the scale" if len(report.candidates) > 1 else "",
        "Blocks": f"{_blocks_run(report)} of {report.blocks} planned" if report.blocks > 1 else "",
        "Seed": str(report.seed),
    }
    return {**report.conditions, **{name: text for name, text in settings.items() if text}}


def _blocks_run(report: Report) -> int:
    return len({run.block for candidate in report.candidates for run in candidate.runs})
