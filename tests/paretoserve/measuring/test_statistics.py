import pytest
from scipy.stats import binomtest

from paretoserve.measuring.statistics import interval_of
from recipes.finetuning.scores import wilson


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (7, 10), (786, 872), (872, 872), (0, 277), (36_000, 40_430)])
def test_the_interval_of_a_share_is_wilson_s(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(0.95, "wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_only_a_share_of_right_answers_has_such_an_interval() -> None:
    assert interval_of(0.9, 9, 10) == wilson(9, 10)
    assert interval_of(0.61, 9, 10) is None, "a correlation, though right answers are counted besides"
    assert interval_of(0.61, None, 10) is None
