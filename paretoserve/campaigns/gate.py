"""Whether a comparison is worse than an earlier one, for continuous integration: it fails, it holds, or it is not sure.

A condition says when it fails: `threshold<0.9x`, `p95>1.1x` (by the earlier report's), `quality<-1.0` (points more than
there). It fails where the whole interval of 95 % lies on that side, holds where none of it does, and is undecided where
the interval has both. Nothing here runs anything.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from loadtest.results.comparison import REPORT_FILE, CandidateReport, Report
from loadtest.results.errors import LoadTestError
from loadtest.results.reading import read_report
from loadtest.statistics.accuracy import quality_difference
from loadtest.statistics.estimates import Estimate, Interval, ratio_of_estimates
from loadtest.statistics.ratios import of_p95
from loadtest.statistics.repeats import threshold_over
from loadtest.statistics.scatter import mean_of

Outcome = Literal["fails", "undecided", "holds"]

EXIT_CODES: dict[Outcome, int] = {"holds": 0, "fails": 3, "undecided": 4}

_SPELLING = re.compile(r"(threshold|p95|quality)\s*([<>])\s*([+-]?\d+(?:\.\d+)?)(x?)")
_DIGEST = re.compile(r" \([0-9a-f]{12}\)")
_WORSE = {"threshold": "<", "p95": ">", "quality": "<"}
_MOST_RATE_DIFFERENCE = 0.01

# Without these being the same, numbers of two reports say nothing about each other.
_CONDITIONS = (
    "Processor",
    "Instruction sets",
    "Cores of the machine",
    "Cores of the server",
    "Cores of the load generator",
    "Server",
    "Admission",
    "Data",
    "Data hash",
)


@dataclass(frozen=True, slots=True)
class Condition:
    """`bound` is a factor of the baseline's number, or of quality a number of points."""

    measure: str
    sign: str
    bound: float

    def __str__(self) -> str:
        return f"{self.measure}{self.sign}{self.bound:g}{'' if self.measure == 'quality' else 'x'}"


class Change(NamedTuple):
    """From the baseline to now, with its interval of 95 %; `why_unknown` where there is none."""

    value: float | None
    interval: Interval
    why_unknown: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a condition says of a candidate."""

    candidate: str
    condition: Condition
    outcome: Outcome
    text: str


def parse_condition(text: str) -> Condition:
    """Read `threshold<0.9x`, `p95>1.1x` or `quality<-1.0`; raises LoadTestError for anything else."""
    found = _SPELLING.fullmatch(text.strip())
    if not found or found[2] != _WORSE[found[1]] or bool(found[4]) == (found[1] == "quality"):
        raise LoadTestError(
            f"--fail-if {text!r} is not understood; give threshold<0.9x or p95>1.1x (times the baseline's number), or "
            "quality<-1.0 (points more than the baseline's)."
        )
    bound = float(found[3])
    if found[4] and bound <= 0:
        raise LoadTestError(f"--fail-if {text!r} needs a factor above 0, such as 0.9x.")
    return Condition(found[1], found[2], bound)


def differing_conditions(report: Report, baseline: Report) -> str:
    """Why the two cannot be compared, in a sentence; empty where they can."""
    pairs = [(name, _stated(baseline, name), _stated(report, name)) for name in _CONDITIONS]
    differences = [f"{name} ({then} there, {now} here)" for name, then, now in pairs if then != now]
    if baseline.think_time_s != report.think_time_s:
        differences.append(f"Think time ({baseline.think_time_s:g} s there, {report.think_time_s:g} s here)")
    if not differences:
        return ""
    return f"The baseline was measured under other conditions: {'; '.join(differences)}."


def gate_of(baseline: Path | None, fail_if: Sequence[str]) -> "Gate | None":
    """The gate that the command line asks for; raises LoadTestError where half of it is missing or cannot be read."""
    if baseline is None and not fail_if:
        return None
    if baseline is None or not fail_if:
        raise LoadTestError("A gate needs --baseline with an earlier report.json, and --fail-if with a condition.")
    conditions = tuple(map(parse_condition, fail_if))
    return Gate(read_report(baseline / REPORT_FILE if baseline.is_dir() else baseline), conditions)


@dataclass(frozen=True, slots=True)
class Gate:
    baseline: Report
    conditions: tuple[Condition, ...]

    def check(self, report: Report) -> None:
        """Raises LoadTestError where `report`, which need have nothing but its conditions yet, is of other ones."""
        if why := differing_conditions(report, self.baseline):
            raise LoadTestError(f"{why} Measure the baseline again under today's conditions.")

    def check_candidates(self, names: Collection[str]) -> None:
        """Raises LoadTestError where a candidate of the baseline is not among `names`."""
        if missing := [one.name for one in self.baseline.candidates if one.name not in names]:
            raise LoadTestError(f"The baseline has {', '.join(missing)}, which this comparison lacks; give them, too.")

    def judge(self, report: Report) -> tuple[Finding, ...]:
        """As `judge`."""
        return judge(report, self.baseline, self.conditions)

    def exit_code(self, findings: Iterable[Finding]) -> int:
        return EXIT_CODES[outcome_of(findings)]


def _stated(report: Report, name: str) -> str:
    """Without the digests of images, which are new with every build of what is under test."""
    return _DIGEST.sub("", report.conditions.get(name, "not stated"))


def judge(report: Report, baseline: Report, conditions: Sequence[Condition]) -> tuple[Finding, ...]:
    """What each condition says of each candidate of the baseline.

    Raises LoadTestError where the conditions of the two reports differ, or a candidate of the baseline is missing.
    """
    gate, now = Gate(baseline, ()), {candidate.name: candidate for candidate in report.candidates}
    gate.check(report)
    gate.check_candidates(now)
    return tuple(
        _finding(condition, _change(condition.measure, now[then.name], then, _same_rate(report, baseline)), then.name)
        for then in baseline.candidates
        for condition in conditions
    )


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """Of all together: one that fails counts most, one that is undecided next."""
    outcomes = {finding.outcome for finding in findings}
    return next((one for one in ("fails", "undecided") if one in outcomes), "holds")


def _finding(condition: Condition, change: Change, candidate: str) -> Finding:
    outcome = _outcome(condition, change.interval)
    if change.value is None:
        text = f"{candidate}: {condition} is undecided, because {change.why_unknown}."
    else:
        found = _text(change, condition.measure == "quality")
        words = {"fails": "fails", "holds": "holds", "undecided": "is undecided"}[outcome]
        text = f"{candidate}: {condition} {words}: {condition.measure} is {found}."
    return Finding(candidate, condition, outcome, text)


def _outcome(condition: Condition, interval: Interval) -> Outcome:
    low, high = interval
    # With the sign turned, so that worse is always less.
    if condition.sign == ">":
        low, high, bound = -high if high is not None else None, -low if low is not None else None, -condition.bound
    else:
        bound = condition.bound
    if high is not None and high < bound:
        return "fails"
    return "holds" if low is not None and low >= bound else "undecided"


def _text(change: Change, is_points: bool) -> str:
    low, high = ("?" if end is None else f"{end:+.2f}" if is_points else f"{end:.2f}" for end in change.interval)
    if is_points:
        return f"{change.value:+.2f} points ({low} to {high}) against the baseline"
    return f"{change.value:.2f} times ({low} to {high}) the baseline's"


def _same_rate(report: Report, baseline: Report) -> bool:
    now, then = report.common_rate_per_s, baseline.common_rate_per_s
    return now is not None and then is not None and abs(now / then - 1) <= _MOST_RATE_DIFFERENCE


def _change(measure: str, now: CandidateReport, then: CandidateReport, same_rate: bool) -> Change:
    if measure == "quality":
        return _quality_change(now, then)
    if measure == "threshold":
        return _ratio(_threshold(now), _threshold(then), _why_not(now, then, "a threshold was not found"))
    if not same_rate:
        return Change(None, (None, None), "the two were measured at different common rates")
    return _ratio(_p95(now), _p95(then), _why_not(now, then, "a response time was not measured, or is in doubt"))


def _why_not(now: CandidateReport, then: CandidateReport, usual: str) -> str:
    """What failed in a run, where one did: that is more than that nothing was found."""
    for when, runs in (("now", now.runs), ("in the baseline", then.runs)):
        for run in runs:
            if run.failure:
                return f"{when} a run failed: {run.failure.rstrip('.')}"
    return usual


def _threshold(candidate: CandidateReport) -> Estimate | None:
    found = threshold_over(candidate.runs)
    return Estimate(found.at, found.interval) if found.at is not None else None


def _p95(candidate: CandidateReport) -> Estimate | None:
    figures = [figure for run in candidate.runs if (figure := of_p95(run.common_rate)) is not None]
    if not figures:
        return None
    mean = mean_of([one.log for one in figures], [one.variance for one in figures])
    return Estimate(mean.value, mean.interval())


def _ratio(now: Estimate | None, then: Estimate | None, why_unknown: str) -> Change:
    if now is None or then is None:
        return Change(None, (None, None), why_unknown)
    return Change(*ratio_of_estimates(now, then))


def _quality_change(now: CandidateReport, then: CandidateReport) -> Change:
    found = quality_difference(now.quality, then.quality) if now.quality and then.quality else None
    if found is None:
        return Change(None, (None, None), "right answers are not known example by example in both reports")
    return Change(100 * found.value, (100 * found.interval[0], 100 * found.interval[1]))
