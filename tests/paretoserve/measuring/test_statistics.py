import numpy as np
import pytest
from scipy.stats import binomtest

from paretoserve.measuring.statistics import interval_of, mcnemar_p, paired_difference
from recipes.finetuning.scores import wilson


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (7, 10), (786, 872), (872, 872), (0, 277), (36_000, 40_430)])
def test_the_interval_of_a_share_is_wilson_s(right: int, n: int) -> None:
    expected = binomtest(right, n).proportion_ci(0.95, "wilson")
    assert wilson(right, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_only_a_share_of_right_answers_has_such_an_interval() -> None:
    assert interval_of(0.9, 9, 10) == wilson(9, 10)
    assert interval_of(0.61, 9, 10) is None, "a correlation, though right answers are counted besides"
    assert interval_of(0.61, None, 10) is None


@pytest.mark.parametrize(("b", "c"), [(0, 0), (1, 0), (3, 3), (2, 11), (30, 12), (900, 1000)])
def test_p_is_that_of_the_exact_binomial_test(b: int, c: int) -> None:
    expected = binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_p(b, c) == mcnemar_p(c, b) == pytest.approx(expected, rel=1e-9)


def test_a_difference_counts_the_rows_that_one_alone_has_right() -> None:
    ours = [True] * 90 + [False] * 10
    theirs = [True] * 86 + [False] * 8 + [True] * 6
    found = paired_difference(ours, theirs)
    assert found.value == pytest.approx(-0.02)
    # With b = 4, c = 6 and n = 100: 5/102 and 7/102.
    middle, half = -2 / 102, 1.959964 * ((12 / 102 - (2 / 102) ** 2) / 102) ** 0.5
    assert found.interval == pytest.approx((middle - half, middle + half))
    assert found.p == pytest.approx(binomtest(4, 10).pvalue)


def test_the_interval_of_a_difference_holds_the_true_one_about_as_often_as_it_says() -> None:
    dice, held, runs, rows = np.random.default_rng(0), 0, 400, 300
    for _ in range(runs):
        drawn = dice.random(rows)
        # Of all rows 3 % are right with us alone and 5 % with them alone.
        ours, theirs = drawn < 0.88, (drawn < 0.85) | (drawn > 0.95)
        low, high = paired_difference(ours.tolist(), theirs.tolist()).interval
        held += low <= -0.02 <= high
    assert 0.92 < held / runs < 0.99
