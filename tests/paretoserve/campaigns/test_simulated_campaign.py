"""Full campaigns on simulated queues whose thresholds are known."""

import pytest

from paretoserve.campaigns.settings import Load
from tests.paretoserve.campaigns.simulated_campaign import campaign, covers, is_precise


@pytest.mark.timeout(120)
def test_four_candidates_are_told_apart_to_a_tenth_in_twenty_minutes() -> None:
    outcomes = [campaign(3, Load(), seed) for seed in range(10)]
    ratios = [pair for one in outcomes for pair in zip(one.ratios, one.truths, strict=True)]
    assert sum(is_precise(ratio) for ratio, _ in ratios) >= 0.75 * len(ratios)
    assert sum(covers(ratio, truth) for ratio, truth in ratios) >= 0.9 * len(ratios)
    assert sum(one.with_number for one in outcomes) >= 0.95 * sum(one.runs for one in outcomes)
    assert sum(one.seconds for one in outcomes) / len(outcomes) <= 20 * 60
