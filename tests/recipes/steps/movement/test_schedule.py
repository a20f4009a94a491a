import pytest

from recipes.steps.movement.schedule import Schedule


def test_a_schedule_follows_the_cubic_formula() -> None:
    found = [Schedule(10, 20).at(step) for step in (0, 10, 11, 15, 19, 20, 25)]
    assert found == pytest.approx([0, 0, 1 - 0.9**3, 1 - 0.5**3, 1 - 0.1**3, 1, 1])


def test_a_schedule_of_no_step_has_happened_with_it() -> None:
    assert [Schedule(3, 3).at(step) for step in (2, 3, 4)] == [0, 0, 1]
