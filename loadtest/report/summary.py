"""A report in rows and in words."""

from dataclasses import dataclass

from loadtest.report.analysis import common_level, level_at, light_level, pareto_front
from loadtest.report.wording import (
    difference_texts,
    further_names,
    further_texts,
    interval_text,
    number,
    one_point,
    quality_change,
    quality_text,
    threshold_text,
    whole,
)
from loadtest.results.comparison import CandidateReport, Quality, Report
from loadtest.statistics.repeats import threshold_over


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One candidate in one line; None where something was not measured."""

    name: str
    quality: Quality | None
    size_mb: float | None
    light_p50_ms: float | None
    """At the smallest number of users that all candidates were measured at."""
    light_p95_ms: float | None
    common_p95_ms: float | None
    """At the largest number of users that all candidates hold."""
    max_ok_per_s: float
    threshold: str
    on_front: bool


def report_common_level(report: Report) -> int | None:
    """The number of users at which the candidates' response times are compared."""
    return common_level([(candidate.levels, threshold_over(candidate.runs)) for candidate in report.candidates])


def report_light_level(report: Report) -> int | None:
    """The smallest number of users that all candidates were measured at."""
    return light_level([candidate.levels for candidate in report.candidates])


def report_metric(report: Report) -> str | None:
    """The metric that candidates are compared by, which is that of the first one with a quality."""
    return next((candidate.quality.metric for candidate in report.candidates if candidate.quality), None)


def compared_qualities(report: Report) -> dict[str, Quality]:
    """The qualities by the report's metric, by candidate; any other metric cannot be compared with it."""
    metric = report_metric(report)
    measured = {candidate.name: candidate.quality for candidate in report.candidates}
    return {name: quality for name, quality in measured.items() if quality and quality.metric == metric}


def pareto_points(report: Report) -> dict[str, tuple[float, float]]:
    """(p95 in ms at the common level, quality) of the candidates that have both."""
    users, qualities = report_common_level(report), compared_qualities(report)
    points = {}
    for candidate in report.candidates:
        level, quality = level_at(candidate.levels, users), qualities.get(candidate.name)
        if level is not None and level.p95_ms is not None and quality is not None:
            points[candidate.name] = (level.p95_ms, quality.value)
    return points


def summary_rows(report: Report) -> tuple[SummaryRow, ...]:
    """One row per candidate, in the report's order."""
    front = pareto_front(pareto_points(report))
    light, common = report_light_level(report), report_common_level(report)
    return tuple(_row(candidate, light, common, candidate.name in front) for candidate in report.candidates)


def _row(candidate: CandidateReport, light: int | None, common: int | None, on_front: bool) -> SummaryRow:
    light_level_, common_level_ = level_at(candidate.levels, light), level_at(candidate.levels, common)
    return SummaryRow(
        name=candidate.name,
        quality=candidate.quality,
        size_mb=candidate.size_bytes / 1e6 if candidate.size_bytes is not None else None,
        light_p50_ms=light_level_.p50_ms if light_level_ else None,
        light_p95_ms=light_level_.p95_ms if light_level_ else None,
        common_p95_ms=common_level_.p95_ms if common_level_ else None,
        max_ok_per_s=max(level.ok_per_s for level in candidate.levels),
        threshold=threshold_text(threshold_over(candidate.runs)),
        on_front=on_front,
    )


def _users(count: float | None) -> str:
    return "no common level" if count is None else f"{count:g} user{'s' if count != 1 else ''}"


def summary_table(report: Report) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and rows as text, for a terminal, a CSV file or a page."""
    light, common = _users(report_light_level(report)), _users(report_common_level(report))
    metrics = {candidate.quality.metric for candidate in report.candidates if candidate.quality}
    header = (
        "candidate",
        " / ".join(sorted(metrics)) or "quality",
        "size, MB",
        f"p50 at {light}, ms",
        f"p95 at {light}, ms",
        f"p95 at {common}, ms",
        "most answers/s",
        "throttles at, users (95%)",
        "Pareto front",
    )
    rows = tuple(
        (
            row.name,
            quality_text(row.quality),
            number(row.size_mb),
            number(row.light_p50_ms),
            number(row.light_p95_ms),
            number(row.common_p95_ms),
            number(row.max_ok_per_s),
            row.threshold,
            "yes" if row.on_front else "no",
        )
        for row in summary_rows(report)
    )
    return header, rows


def variants_table(report: Report) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Header and rows of what candidates are, and how sure their quality is; no rows where nothing of it is known."""
    further = further_names(candidate.quality for candidate in report.candidates)
    metrics = {candidate.quality.metric for candidate in report.candidates if candidate.quality}
    header = (
        "candidate",
        f"{' / '.join(sorted(metrics)) or 'quality'} (95%)",
        *further,
        "against dense (95%)",
        "p",
        "agreement",
        "parameters",
        "not zero",
        "MACs per token",
        "made in, s",
    )
    known = [one for one in report.candidates if one.parameters is not None or (one.quality and one.quality.interval)]
    return header, tuple(_variant_row(candidate, further) for candidate in report.candidates) if known else ()


def _variant_row(candidate: CandidateReport, further: tuple[str, ...]) -> tuple[str, ...]:
    return (
        candidate.name,
        interval_text(candidate.quality),
        *further_texts(candidate.quality, further),
        *difference_texts(candidate.quality),
        whole(candidate.parameters),
        whole(candidate.nonzero),
        whole(candidate.macs_per_token),
        whole(candidate.made_in_s),
    )


def _capacity(candidate: CandidateReport, report: Report) -> tuple[float, float]:
    level = level_at(candidate.levels, report_common_level(report))
    return threshold_over(candidate.runs).at_least, -(level.p95_ms or 0) if level else 0


def _is_good(candidate: CandidateReport, qualities: dict[str, Quality]) -> bool:
    """Whether the quality is within a point of the highest, which is what compression is usually allowed to cost.

    A candidate whose quality was not measured counts as good.
    """
    if candidate.name not in qualities:
        return True
    values = [quality.value for quality in qualities.values()]
    return qualities[candidate.name].value >= max(values) - one_point(values)


def _holds(candidate: CandidateReport) -> str:
    low, high = threshold_over(candidate.runs).bracket
    if high is None:
        return f"{candidate.name} holds more than {_users(low)}"
    if low is None:
        return f"{candidate.name} throttles already at {_users(high)}"
    if threshold_over(candidate.runs).at is None:
        return f"{candidate.name} throttles between {low} and {high} users"
    return f"{candidate.name} throttles at {threshold_text(threshold_over(candidate.runs), 'users')}"


def _speed(ratio: float) -> str:
    if 0.95 < ratio < 1.05:
        return "as fast"
    factor, direction = (ratio, "faster") if ratio > 1 else (1 / ratio, "slower")
    return (
        f"{factor:.1f} \N{MULTIPLICATION SIGN} {direction}"
        if factor < 10
        else f"{factor:.0f} \N{MULTIPLICATION SIGN} {direction}"
    )


def verdict(report: Report) -> str:
    """What the numbers say, in a few sentences.

    The best is the one that holds the most users among those whose quality is within a point of the highest.
    """
    ranked = sorted(report.candidates, key=lambda candidate: _capacity(candidate, report), reverse=True)
    qualities = compared_qualities(report)
    best = next(candidate for candidate in ranked if _is_good(candidate, qualities))
    if len(ranked) == 1:
        return f"{_holds(best)}."
    first = report.candidates[0]
    other = first if first is not best else ranked[-1]
    sentences = [f"{_holds(best)}; {_holds(other)}.", _speed_sentence(best, other, report_common_level(report))]
    if ranked[0] is not best:
        sentences.append(f"{_holds(ranked[0])}, but{quality_change(ranked[0].quality, best.quality)}.")
    if front := pareto_front(pareto_points(report)):
        sentences.append(f"On the front of {report_metric(report)} against p95: {', '.join(front)}.")
    return " ".join(sentences)


def _speed_sentence(best: CandidateReport, other: CandidateReport, users: int | None) -> str:
    ours, theirs = level_at(best.levels, users), level_at(other.levels, users)
    if not (ours and theirs and ours.p95_ms and theirs.p95_ms):
        return "No level is held by all candidates, so their response times are not compared."
    speed = _speed(theirs.p95_ms / ours.p95_ms)
    return f"At {_users(users)} {best.name} answers {speed} (p95){quality_change(best.quality, other.quality)}."


def caveats(report: Report) -> tuple[str, ...]:
    """Levels whose numbers deserve doubt, one sentence each."""
    found = []
    for candidate in report.candidates:
        for level in candidate.levels:
            found += [f"{candidate.name} at {_users(level.users)}: {doubt}" for doubt in level.doubts]
    return tuple(found)
