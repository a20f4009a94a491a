import math

import pytest

from handlers.golden import check_golden
from model_store.errors import GoldenMismatch


def check(expected: list[float], found: list[float]) -> None:
    check_golden("Golden input 'good'", expected, found, 0.01, "build the variant again")


def test_numbers_within_the_tolerance_are_the_same() -> None:
    check([1.0, -2.0], [1.009, -2.009])


@pytest.mark.parametrize("found", [[1.0, -2.02], [1.0, math.nan], [1.0], [1.0, -2.0, 0.0]])
def test_any_others_are_told_with_both_and_with_what_to_do(found: list[float]) -> None:
    with pytest.raises(GoldenMismatch) as caught:
        check([1.0, -2.0], found)
    for part in ("Golden input 'good' should give [1.0, -2.0]", "tolerance 0.01", "build the variant again"):
        assert part in str(caught.value)
    assert str(round(found[0], 4)) in str(caught.value)
