"""When SageMaker adds an instance: at half of what a campaign measured that one holds."""

import re
from dataclasses import dataclass
from pathlib import Path

from loadtest.report.wording import is_bracket, threshold_text
from loadtest.results.comparison import REPORT_FILE, CandidateReport, Report
from loadtest.results.reading import read_report
from loadtest.statistics.cost import answers_at_limit
from loadtest.statistics.repeats import threshold_over
from model_store.errors import ParetoServeError
from model_store.manifest import sha256_of

# A share of the limit that leaves time to start an instance, which takes minutes. AWS' own guide (Load testing your
# auto scaling configuration): target = limit per second * safety factor * 60, with 0.5 to begin with.
SAFETY_FACTOR = 0.5

# What a tag of AWS may hold.
_NOT_OF_TAGS = re.compile(r"[^\w.:/=+\-@]")
_MOST_TAG = 256


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many invocations a minute each instance is to get, and where that comes from."""

    invocations_per_minute: float
    answers_per_s: float
    users: float
    """At the throttling threshold, as `answers_per_s`."""
    source: str
    """The report and its hash, in what a tag may hold."""

    def __str__(self) -> str:
        return (
            f"{self.invocations_per_minute:g} invocations a minute for each instance: {SAFETY_FACTOR:.0%} of the "
            f"{self.answers_per_s:.3g} answers/s that {self.users:.3g} users got by {self.source}"
        )


@dataclass(frozen=True, slots=True)
class Measured:
    """A report that endpoints are scaled by."""

    report: Report
    source: str
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """The settings under which it was measured, as the server reads them."""
        deadline_s = self.report.queue_deadline_s
        return {} if deadline_s is None else {"PARETOSERVE_QUEUE_DEADLINE": f"{deadline_s:g}"}

    def scaling(self, candidate: str) -> Scaling:
        """For a candidate such as `int8@openvino`.

        Raises:
            ParetoServeError: it was not measured, or its limit is no number.
        """
        found = next((one for one in self.report.candidates if one.name == candidate), None)
        if found is None:
            names = ", ".join(one.name for one in self.report.candidates)
            raise ParetoServeError(f"{self.name} has no candidate {candidate!r}; it has {names}.")
        users, per_user = self._limit(found)
        answers_per_s = users * per_user
        target = round(answers_per_s * SAFETY_FACTOR * 60, 1)
        if target <= 0:
            raise ParetoServeError(f"{self.name} has next to no answers of {candidate!r}; compare it again.")
        return Scaling(target, answers_per_s, users, self.source)

    def _limit(self, candidate: CandidateReport) -> tuple[float, float]:
        limit = answers_at_limit(candidate)
        if limit is None or limit[0].at is None:
            known = threshold_text(threshold_over(candidate.runs))
            raise ParetoServeError(
                f"{self.name} does not say at how many users {candidate.name!r} throttles (it says: {known}); compare "
                "again, with users on both sides of its limit."
            )
        threshold, per_user = limit
        # Between levels that lie far apart only the lower one is known to be held.
        low = threshold.bracket[0] if is_bracket(threshold) else None
        return low or limit[0].at, per_user


def read_measured(folder: Path) -> Measured:
    """The report of a comparison, by its folder.

    Raises:
        LoadTestError: there is none, or it cannot be read.
    """
    path = folder / REPORT_FILE
    report = read_report(path)
    digest = f"@sha256:{sha256_of(path)}"
    name = _NOT_OF_TAGS.sub("_", path.as_posix())[-(_MOST_TAG - len(digest)) :]
    return Measured(report, name + digest, path.as_posix())
