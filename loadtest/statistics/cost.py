"""What a million answers cost on a machine that does nothing else."""

from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np

from loadtest.results.comparison import CandidateReport, Report
from loadtest.results.levels import LevelResult
from loadtest.results.threshold import Threshold
from loadtest.statistics.repeats import rate_threshold_over, threshold_over

Basis = Literal["objective", "limit"]
Ends = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Cost:
    """At the highest rate within the objective, or else at the limit: the threshold in users as answers per second."""

    basis: Basis
    goodput_per_s: float
    """Requests answered in time per second at that load."""
    goodput_interval: Ends
    per_million: float | None
    """In the reader's currency; None without a price."""
    per_million_interval: Ends
    cpu_s_per_1000: float | None
    """Mean of the runs, at the common rate."""


def cost_per_million(price_per_hour: float, answers_per_s: float) -> float:
    """Of a machine with this price that gives so many answers, all day."""
    return price_per_hour * 1e6 / (3600 * answers_per_s)


def cost_of(report: Report, candidate: CandidateReport) -> Cost | None:
    """None where neither limit is known as a number.

    At the objective's rate just so many are in time as it asks for. At the threshold in users the answers per second
    are those of the nearest level that can be believed, by the users of each.
    """
    rate = rate_threshold_over(candidate.runs)
    if report.slo and rate.at:
        return _cost(report, candidate, "objective", rate, report.slo.percent / 100)
    limit = answers_at_limit(candidate)
    return _cost(report, candidate, "limit", *limit) if limit else None


def answers_at_limit(candidate: CandidateReport) -> tuple[Threshold, float] | None:
    """The threshold in users and the answers per second of each of them; None where either is not known as a number."""
    users = threshold_over(candidate.runs)
    sound = [level for level in candidate.levels if level.is_sound and level.ok]
    if not users.at or not sound:
        return None
    nearest = min(sound, key=lambda level: _distance(level, users.at))
    return users, nearest.ok_per_s / nearest.at


def _distance(level: LevelResult, at: float | None) -> float:
    return abs(log(level.at / (at or 1.0)))


def _cost(report: Report, candidate: CandidateReport, basis: Basis, limit: Threshold, goodput: float) -> Cost:
    """`goodput` is for each unit of the limit."""
    low, high = (None if end is None else end * goodput for end in limit.interval)
    value = (limit.at or 0.0) * goodput
    used = [run.cpu_s_per_1000 for run in candidate.runs if run.cpu_s_per_1000 is not None]

    def price(per_s: float | None) -> float | None:
        return cost_per_million(report.price_per_hour, per_s) if report.price_per_hour is not None and per_s else None

    cpu_s = float(np.mean(used)) if used else None
    return Cost(basis, value, (low, high), price(value), (price(high), price(low)), cpu_s)
