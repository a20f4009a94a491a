from dataclasses import replace

import pytest

from loadtest.results.comparison import CandidateReport, Report, Run
from loadtest.results.slo import Slo
from loadtest.statistics.cost import cost_of, cost_per_million
from loadtest.statistics.repeats import rate_threshold_over, threshold_over
from tests.loadtest.examples import level
from tests.loadtest.statistics.simulated_runs import run_of


def of(*runs: Run) -> tuple[Report, CandidateReport]:
    candidate = CandidateReport("a@x", "a", "x", runs)
    return Report((candidate,), think_time_s=0.1, price_per_hour=0.36), candidate


def test_a_machine_of_36_cents_an_hour_with_a_hundred_answers_a_second_costs_a_unit_per_million() -> None:
    assert cost_per_million(0.36, 100) == pytest.approx(1.0)


def test_with_an_objective_it_is_at_the_highest_rate_within_it() -> None:
    report, candidate = of(Run(0, 0, "", rate_threshold=run_of(200).threshold, cpu_s_per_1000=8.0))
    cost = cost_of(replace(report, slo=Slo(95, 200)), candidate)
    assert cost is not None
    assert (cost.basis, cost.cpu_s_per_1000) == ("objective", 8.0)
    assert cost.goodput_per_s == pytest.approx(190)
    assert cost.per_million == pytest.approx(0.36e6 / 3600 / 190)
    low, high = cost.per_million_interval
    assert low is not None
    assert high is not None
    assert high / low == pytest.approx(_width(rate_threshold_over(candidate.runs).interval))


def test_without_one_it_is_at_the_limit_of_users_as_answers_per_second() -> None:
    levels = level(10, ok_per_s=90.0), level(48, ok_per_s=400.0), level(51, ok_per_s=1.0, doubts=("it drifted.",))
    report, candidate = of(replace(run_of(50), levels=levels))
    cost = cost_of(report, candidate)
    assert cost is not None
    assert cost.basis == "limit"
    assert cost.goodput_per_s == pytest.approx(50 * 400 / 48)
    assert _width(cost.goodput_interval) == pytest.approx(_width(threshold_over(candidate.runs).interval))


def test_without_a_limit_or_a_price_there_is_no_cost() -> None:
    report, candidate = of(run_of(50))
    assert cost_of(report, candidate) is None, "no level can be believed"
    free = replace(report, price_per_hour=None)
    cost = cost_of(free, replace(candidate, runs=(replace(run_of(50), levels=(level(48),)),)))
    assert cost is not None
    assert (cost.per_million, cost.per_million_interval) == (None, (None, None))


def _width(interval: tuple[float | None, float | None]) -> float:
    low, high = interval
    assert low is not None
    assert high is not None
    return high / low
