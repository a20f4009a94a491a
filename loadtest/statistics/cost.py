"""What a million answers cost on a machine that does nothing else."""

from dataclasses import dataclass
from typing import Literal

from loadtest.results.comparison import CandidateReport, Report

Basis = Literal["objective", "limit"]


@dataclass(frozen=True, slots=True)
class Cost:
    """At the highest rate within the objective, or else at the limit: the threshold in users as answers per second."""

    basis: Basis
    goodput_per_s: float
    """Requests answered in time per second at that load."""
    goodput_interval: tuple[float | None, float | None]
    per_million: float | None
    """In the reader's currency; None without a price."""
    per_million_interval: tuple[float | None, float | None]
    cpu_s_per_1000: float | None
    """Mean of the runs, at the common rate."""


def cost_per_million(price_per_hour: float, answers_per_s: float) -> float:
    """Of a machine with this price that gives so many answers, all day."""
    return price_per_hour * 1e6 / (3600 * answers_per_s)


def cost_of(report: Report, candidate: CandidateReport) -> Cost | None:
    """None where neither limit is known as a number."""
    raise NotImplementedError
