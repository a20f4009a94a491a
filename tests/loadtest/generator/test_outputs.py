from loadtest.generator.events import LevelTicked
from loadtest.generator.outputs import Level, Tally


def test_a_tick_tells_what_is_known_of_a_level_so_far() -> None:
    tally = Tally(Level(3, 10.0, rate_per_s=50.0), seen=7)
    tally.add([(True, 10.0)] * 55 + [(False, 1.0)] * 25)
    tally.add([(True, 20.0)] * 20)
    assert tally.seen == 7 + 100
    assert tally.ticked(2.0) == LevelTicked(3, 0, 2.0, 10.0, 100, 37.5, 0.25, p95_ms=20.0, rate_per_s=50.0)


def test_a_percentile_needs_enough_answers() -> None:
    tally = Tally(Level(0, 10.0, users=2), seen=0)
    tally.add([(True, 10.0)] * 71)
    assert tally.ticked(1.0).p95_ms is None
