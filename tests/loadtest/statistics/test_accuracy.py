import numpy as np
import pytest
from scipy.stats import binomtest

from loadtest.results.comparison import Quality
from loadtest.statistics.accuracy import (
    difference_of,
    encode_right,
    is_below_floor,
    is_clearly_less,
    mcnemar_p,
    paired_difference,
    quality_difference,
)


def quality(right: list[bool]) -> Quality:
    n, share = len(right), sum(right) / len(right)
    return Quality(share, "accuracy", n, "sst2", (share - 0.02, share + 0.02), right=encode_right(right))


def test_the_bits_are_in_the_order_of_the_examples_and_the_last_digit_is_filled_up() -> None:
    assert encode_right([True, False, False, False, True]) == "88"
    assert encode_right([False] * 5) == "00"


def test_a_difference_of_bits_is_that_of_the_answers() -> None:
    dice = np.random.default_rng(1)
    ours, theirs = (dice.random((2, 873)) < 0.9).tolist()
    found, expected = difference_of(encode_right(ours), encode_right(theirs), 873), paired_difference(ours, theirs)
    assert (found.value, found.interval, found.p) == (expected.value, expected.interval, expected.p)
    assert found.agreement == pytest.approx(np.mean(np.equal(ours, theirs)))
    assert difference_of(encode_right(ours), encode_right(theirs)).value == pytest.approx(found.value, rel=0.01)


def test_qualities_are_compared_on_the_same_examples_only() -> None:
    ours, fewer = quality([True] * 800 + [False] * 72), quality([True] * 400 + [False] * 72)
    assert quality_difference(ours, ours).value == 0  # type: ignore[union-attr]
    assert quality_difference(ours, fewer) is None
    assert quality_difference(ours, Quality(0.9, "accuracy", 872, "sst2")) is None


def test_four_texts_of_872_are_noise_and_a_fifth_of_them_is_not() -> None:
    best, nearly = quality([True] * 800 + [False] * 72), quality([True] * 796 + [False] * 76)
    poor = quality([True] * 626 + [False] * 246)
    assert quality_difference(nearly, best).p == 0.125  # type: ignore[union-attr]
    assert is_clearly_less(poor, best)
    assert is_below_floor(poor, best, 0.02)
    assert not is_below_floor(nearly, best, 0.02)
    assert not is_below_floor(None, best, 0.02)


def test_qualities_that_were_not_paired_are_compared_by_their_intervals() -> None:
    one, near, far = (Quality(value, "accuracy", interval=(value - 0.02, value + 0.02)) for value in (0.9, 0.88, 0.86))
    assert not is_clearly_less(near, one)
    assert is_clearly_less(far, one)
    assert is_below_floor(Quality(80.0, "F1"), Quality(85.0, "F1"), 0.02)
    assert not is_below_floor(Quality(84.0, "F1"), Quality(85.0, "F1"), 0.02)


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
