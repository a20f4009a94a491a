"""The search for a rate, on a queue with one server whose share of late answers is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest.plan.settings import Campaign
from loadtest.results.levels import LevelResult, Window
from loadtest.results.slo import Slo
from loadtest.results.visits import Slice, Visit
from loadtest.statistics.rate_search import late_share, next_rate
from loadtest.statistics.threshold import threshold_of
from tests.loadtest.examples import level

SLO = Slo(95, 30.0)
CAMPAIGN = Campaign("http://127.0.0.1:1", Path("bodies"), slo=SLO)
SERVICE_S, VISIT_S, SETTLE_S = 0.004, 6, 2


def slices(rate: float, seconds: int, seed: int) -> tuple[Slice, ...]:
    """Poisson arrivals at a server that answers one after the other; late is what takes longer than the objective."""
    random = np.random.default_rng((seed, round(1000 * rate)))
    due_s = np.sort(random.uniform(0, seconds + SETTLE_S, random.poisson(rate * (seconds + SETTLE_S))))
    free_s, found = 0.0, [[0, 0] for _ in range(seconds)]
    for due, service_s in zip(due_s, random.gamma(25, SERVICE_S / 25, len(due_s)), strict=True):
        free_s = max(free_s, due) + service_s
        if due >= SETTLE_S:
            one = found[int(due - SETTLE_S)]
            one[0] += 1
            one[1] += 1e3 * (free_s - due) > SLO.limit_ms
    return tuple(Slice(*one) for one in found)


def pooled(before: LevelResult | None, rate: float, seed: int) -> LevelResult:
    visits = before.visits if before else 0
    seconds = (*(before.late_slices if before else ()), *slices(rate, VISIT_S, 100 * seed + visits))
    attempts, late = sum(one.attempts for one in seconds), sum(one.bad for one in seconds)
    windows = tuple(Window(0.0, 1.0) for _ in range(visits + 1))
    return level(rate, attempts=attempts, ok=attempts, late=late, late_slices=seconds, windows=windows)


def searched(campaign: Campaign, start: float, seed: int) -> list[LevelResult]:
    done: dict[float, LevelResult] = {}
    while (rate := next_rate(campaign, start, list(done.values()))) is not None:
        done[rate] = pooled(done.get(rate), rate, seed)
    return list(done.values())


@pytest.fixture(scope="module")
def truth() -> float:
    rates = np.arange(180.0, 240.0, 5.0)
    shares = [sum(one.bad for one in slices(rate, 1000, 0)) / (1000 * rate) for rate in rates]
    return float(np.interp(SLO.share, shares, rates))


@pytest.mark.parametrize("start", [20.0, 150.0, 900.0])
def test_the_highest_rate_within_the_objective_is_found_from_below_and_above(truth: float, start: float) -> None:
    found = [
        threshold_of([Visit(one.at, one.late_slices) for one in searched(CAMPAIGN, start, seed)], SLO.share).at
        for seed in range(6)
    ]
    assert all(one is not None for one in found)
    assert np.median([one for one in found if one]) == pytest.approx(truth, rel=0.07)


def test_no_more_visits_are_made_than_allowed() -> None:
    levels = searched(replace(CAMPAIGN, precision=0.001, max_visits=9), 50.0, 1)
    assert sum(one.visits for one in levels) == 9


def test_a_rate_that_the_generator_cannot_send_ends_the_way_up() -> None:
    assert next_rate(CAMPAIGN, 50.0, [level(50.0)]) == 100.0
    assert next_rate(CAMPAIGN, 50.0, [level(50.0, generator_cpu_share=0.9)]) is None
    assert next_rate(CAMPAIGN, 50.0, [level(50.0, not_sent=3)]) is None


def test_what_is_not_served_is_late() -> None:
    assert late_share(level(10.0, 0.25)) == 0.25
    assert late_share(level(10.0, attempts=100, ok=90, late=20)) == 0.3
