"""Matthews' correlation, by its definition, and of more than two classes by Gorodkin's."""

import pytest

from model_store.matthews import matthews

# Of class a 6 are answered rightly, 2 as b, 1 as c, and so on: a table of answers (columns) to what is right (rows).
THREE = {("a", "a"): 6, ("b", "a"): 2, ("c", "a"): 1, ("a", "b"): 1, ("b", "b"): 7, ("b", "c"): 3, ("c", "c"): 5}


def test_of_two_classes_it_is_the_correlation_of_the_two_columns() -> None:
    pairs = [(1, 1)] * 6 + [(0, 1)] * 2 + [(0, 0)] * 9 + [(1, 0)] * 3
    covariance = 6 / 20 - (9 / 20) * (8 / 20)
    assert matthews(pairs) == pytest.approx(covariance / (9 / 20 * 11 / 20 * 8 / 20 * 12 / 20) ** 0.5)


def test_of_three_classes_it_is_gorodkins() -> None:
    pairs = [pair for pair, count in THREE.items() for _ in range(count)]

    def covariance(first: int, second: int) -> float:
        """Summed over the classes, of their columns of 0 and 1."""
        total = 0.0
        for one in "abc":
            left, right = ([float(pair[place] == one) for pair in pairs] for place in (first, second))
            means = sum(left) / len(left), sum(right) / len(right)
            total += sum((x - means[0]) * (y - means[1]) for x, y in zip(left, right, strict=True))
        return total

    expected = covariance(0, 1) / (covariance(0, 0) * covariance(1, 1)) ** 0.5
    assert 0.5 < expected < 0.6
    assert matthews(pairs) == pytest.approx(expected)


def test_answers_that_are_all_right_score_one_and_those_that_are_all_the_same_nothing() -> None:
    assert matthews([("a", "a"), ("b", "b")]) == 1.0
    assert matthews([(0, 1), (1, 0)]) == -1.0
    assert matthews([(0, 0), (0, 1)]) == matthews([(0, 0), (1, 0)]) == matthews([]) == 0.0
