"""The load at which response times are compared, and what each candidate does there."""

from dataclasses import dataclass

from loadtest.report.level_tables import users_text
from loadtest.report.points import Spread, spread_of
from loadtest.report.wording import number
from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.levels import LevelResult
from loadtest.statistics.front import front_of


@dataclass(frozen=True, slots=True)
class CommonLoad:
    """One load that all candidates were measured at; `levels` are those of each that can be believed."""

    where: str
    """Reads on: "at 12.5 requests/s", "at 2 users"; empty where there is no such load."""
    levels: dict[str, tuple[LevelResult, ...]]

    def p95_ms(self, name: str) -> Spread | None:
        """Over the runs of a candidate; None where it has none."""
        return spread_of(level.p95_ms for level in self.levels.get(name, ()))


def common_load(report: Report) -> CommonLoad:
    """The common rate; without one the number of users of the front, or the fewest that all were measured at."""
    front = front_of(report)
    if report.common_rate_per_s is not None:
        where = f"at {number(report.common_rate_per_s)} requests/s"
        return CommonLoad(where, {one.name: _at_common_rate(one) for one in report.candidates})
    users = front.users if front.users is not None else fewest_users(report)
    if users is None:
        return CommonLoad("", {})
    return CommonLoad(f"at {users_text(users)}", {one.name: _at_users(one, users) for one in report.candidates})


def fewest_users(report: Report) -> float | None:
    """At which every candidate that was measured at all has a level that can be believed."""
    measured = [
        {level.at for level in one.levels if level.is_sound and level.ok} for one in report.candidates if one.levels
    ]
    return min(set.intersection(*measured), default=None) if measured else None


def _at_common_rate(candidate: CandidateReport) -> tuple[LevelResult, ...]:
    found = [run.common_rate for run in candidate.runs]
    return tuple(level for level in found if level is not None and level.is_sound)


def _at_users(candidate: CandidateReport, users: float) -> tuple[LevelResult, ...]:
    return tuple(level for level in candidate.levels if level.at == users and level.is_sound)
