"""What a report recommends, as data; `loadtest.report` has the words."""

from dataclasses import dataclass
from typing import Literal

from loadtest.results.comparison import Difference, Report
from loadtest.statistics.ratios import Ratio

Kind = Literal["winner", "tie", "undecided"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A winner is clearly better than every other candidate that may be chosen; a tie is known to be one.

    Undecided: neither is known, `more_blocks` may tell.
    """

    kind: Kind
    recommended: str | None
    """The winner; of leaders that cannot be told apart the first candidate if it is one, else the one that seems best.
    None where no candidate has a threshold."""
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
    sureness: float | None = None
    """1 - p that the recommended one is better than the runner-up, corrected for the number of candidates."""
    noise: Ratio | None = None
    """The canary by the first candidate: what differs between the same and the same."""
    more_blocks: int | None = None
    """About how many further blocks would decide; 0 where it is decided, None where that cannot be said."""


def verdict_of(report: Report) -> Verdict:
    """The recommendation of a report."""
    raise NotImplementedError
