import random

import pytest

from recipes.steps.nas.hypervolume import Point, front, hypervolume, hypervolumes

CELLS = 40


def counted(points: list[Point]) -> float:
    """The same area up to (1, 1), for points on a grid: its cells, counted one by one."""
    corners = [((i + 0.5) / CELLS, (j + 0.5) / CELLS) for i in range(CELLS) for j in range(CELLS)]
    covered = sum(any(x <= a and y <= b for x, y in points) for a, b in corners)
    return covered / CELLS**2


@pytest.mark.parametrize("seed", range(10))
def test_it_is_the_area_that_brute_force_counts(seed: int) -> None:
    dice = random.Random(seed)
    points = [(dice.randrange(CELLS + 9) / CELLS, dice.randrange(CELLS + 9) / CELLS) for _ in range(12)]
    assert hypervolume(points, (1.0, 1.0)) == pytest.approx(counted(points))


def test_what_lies_beyond_the_reference_counts_nothing() -> None:
    assert hypervolume([], (1.0, 1.0)) == 0
    assert hypervolume([(0.2, 1.0), (1.5, 0.1)], (1.0, 1.0)) == 0
    assert hypervolume([(0.0, 0.5), (0.5, 0.0)], (2.0, 1.0)) == pytest.approx(0.5 * 0.5 + 1.5)


def test_the_front_is_what_no_other_is_better_than() -> None:
    points = [(0.5, 0.5), (0.2, 0.9), (0.6, 0.5), (0.5, 0.4), (0.9, 0.1), (0.2, 0.9)]
    assert front(points) == [(0.2, 0.9), (0.5, 0.4), (0.9, 0.1)]


def test_after_each_point_the_area_is_that_of_the_points_so_far() -> None:
    dice = random.Random(3)
    points = [(dice.random(), dice.random()) for _ in range(20)]
    found = hypervolumes(points, (0.9, 0.8))
    assert found == pytest.approx([hypervolume(points[: i + 1], (0.9, 0.8)) for i in range(20)])
    assert found == sorted(found)
