"""How good a set of points is as a whole, where less is better in both directions."""

from collections.abc import Sequence

Point = tuple[float, float]


def front(points: Sequence[Point]) -> list[Point]:
    """The points that no other is better than, by their first figure; of equal ones the first."""
    found: list[Point] = []
    for point in sorted(points):
        if not found or point[1] < found[-1][1]:
            found.append(point)
    return found


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """The area that the points dominate, up to the corner `reference`; what lies beyond that corner counts nothing."""
    inside = [point for point in points if point[0] < reference[0] and point[1] < reference[1]]
    area, height = 0.0, reference[1]
    for x, y in front(inside):
        area += (reference[0] - x) * (height - y)
        height = y
    return area


def hypervolumes(points: Sequence[Point], reference: Point) -> list[float]:
    """The area after the first point, after the first two, and so on."""
    best: list[Point] = []
    found = []
    for point in points:
        best = front([*best, point])
        found.append(hypervolume(best, reference))
    return found
