"""What a report recommends, as data; `loadtest.report` has the words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from loadtest.results.comparison import CandidateReport, Difference, Report
from loadtest.statistics.accuracy import quality_difference
from loadtest.statistics.bounds import Bounds, threshold_bounds
from loadtest.statistics.contest import Contest, contest_of, further_blocks, is_same
from loadtest.statistics.ratios import Ratio, log_threshold_ratio, ratio_of, threshold_ratio
from loadtest.statistics.repeats import threshold_over
from loadtest.statistics.scatter import LogMean

Kind = Literal["winner", "tie", "undecided"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A winner is clearly better than every other candidate that may be chosen; a tie is known to be one.

    Undecided: neither is known, `more_blocks` may tell.
    """

    kind: Kind
    recommended: str | None
    """The winner; of leaders that cannot be told apart the first candidate if it is one, else the one that seems best.
    None where of no candidate it is known what is too much."""
    leaders: tuple[str, ...] = ()
    """Those that are not clearly worse than the best, the best first; the winner alone where there is one."""
    against: str | None = None
    """What `effect` compares with: the first candidate, or the runner-up where the first is recommended."""
    effect: Ratio | None = None
    """The threshold of the recommended one by that of `against`; its interval alone, not corrected for other pairs."""
    runner_up: str | None = None
    """The best of the others that may be chosen."""
    lead: Ratio | None = None
    """Over the runner-up."""
    quality: Difference | None = None
    """Of the recommended one against the first candidate; None where that is the same, or was not counted."""
    quality_drop: float | None = None
    """The first candidate's quality less that of the recommended one, on the scale of the metric."""
    excluded: tuple[str, ...] = ()
    """Those that lose clearly more than `max_drop` of the first candidate's quality."""
    unmeasured: tuple[str, ...] = ()
    """Those without a threshold in numbers."""
    may_hold_more: tuple[str, ...] = ()
    """Those of them that may be better than the best, as no level was too much for them; then it is undecided."""
    sureness: float | None = None
    """1 - p that the recommended one is better than the runner-up, corrected for the number of candidates."""
    noise: Ratio | None = None
    """The canary by the first candidate: what differs between the same and the same."""
    more_blocks: int | None = None
    """About how many further blocks would decide; 0 where it is decided, None where that cannot be said."""
    bounds: Bounds | None = None
    """What `effect` would be, where it is None as one of the two thresholds is no number."""
    behind: tuple[str, ...] = ()
    """Those that the best is clearly better than."""


def verdict_of(report: Report) -> Verdict:
    """The recommendation of a report.

    With one candidate, or where others cannot be chosen, it is the winner without a lead.
    """
    contest, first = contest_of(report), report.candidates[0]
    noise = threshold_ratio(report.canary, first.runs)
    without = Verdict(
        "undecided",
        None,
        excluded=_names(contest.excluded),
        unmeasured=tuple(one.name for one in report.candidates if _is_without_number(contest, one)),
        may_hold_more=_names(contest.may_hold_more),
        noise=noise,
    )
    if not contest.ranked:
        return without
    leaders = contest.leaders
    chosen = first if first in leaders else leaders[0]
    runner_up = next((one for one in contest.ranked if one is not chosen), None)
    against = first if chosen is not first else runner_up
    lead = log_threshold_ratio(chosen.runs, runner_up.runs) if runner_up else None
    effect = threshold_ratio(chosen.runs, against.runs) if against else None
    return replace(
        without,
        kind=_kind(contest),
        recommended=chosen.name,
        leaders=_names(leaders),
        against=against.name if against else None,
        effect=effect,
        bounds=threshold_bounds(chosen.runs, against.runs) if against and not effect else None,
        behind=tuple(one.name for one in contest.ranked if one not in leaders),
        runner_up=runner_up.name if runner_up else None,
        lead=ratio_of(lead),
        quality=_difference(chosen, first),
        quality_drop=_drop(chosen, first),
        sureness=_sureness(contest, lead),
        more_blocks=None
        if contest.may_hold_more
        else further_blocks(contest, [(leaders[0], one) for one in leaders[1:]]),
    )


def _names(candidates: Sequence[CandidateReport]) -> tuple[str, ...]:
    return tuple(one.name for one in candidates)


def _is_without_number(contest: Contest, one: CandidateReport) -> bool:
    return one not in contest.excluded and threshold_over(one.runs).at is None


def _kind(contest: Contest) -> Kind:
    best, *others = contest.leaders
    if contest.may_hold_more:
        return "undecided"
    if not others:
        return "winner"
    ratios = [log_threshold_ratio(best.runs, one.runs) for one in others]
    return "tie" if all(ratio and is_same(ratio) for ratio in ratios) else "undecided"


def _sureness(contest: Contest, lead: LogMean | None) -> float | None:
    """One-sided, and of as many comparisons as there are candidates; never below what no knowledge is worth."""
    return max(0.0, 1 - len(contest.ranked) * lead.p_above()) if lead else None


def _difference(chosen: CandidateReport, first: CandidateReport) -> Difference | None:
    if chosen is first or chosen.quality is None or first.quality is None:
        return None
    return quality_difference(chosen.quality, first.quality)


def _drop(chosen: CandidateReport, first: CandidateReport) -> float | None:
    if chosen.quality is None or first.quality is None:
        return None
    return first.quality.value - chosen.quality.value
