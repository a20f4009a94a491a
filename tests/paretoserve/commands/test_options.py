import pytest

from model_store.errors import ParetoServeError
from paretoserve.commands.options import dwell, parse_levels


def test_levels_are_numbers_of_users_or_auto() -> None:
    assert parse_levels("1,2,16") == (1, 2, 16)
    assert parse_levels("auto") == "auto"


@pytest.mark.parametrize("text", ["", "many", "1,,2", "0,1", "4,2", "2,2", "1.5"])
def test_levels_that_make_no_sense_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(ParetoServeError, match="--users"):
        parse_levels(text)


def test_a_level_may_take_two_and_a_half_times_its_least_dwell_to_be_steady() -> None:
    assert dwell(4.0) == (4.0, 10.0)
