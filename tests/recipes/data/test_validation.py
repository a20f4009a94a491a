import pytest

from model_store.errors import DataError
from model_store.rows import Row, Split
from recipes.data.validation import MOST_ROWS, check_measurable, split_off_validation, with_validation_share


def train(count: int) -> Split:
    return Split("films", "train", tuple(Row(str(i), None, i % 2) for i in range(count)))


def test_every_row_is_in_one_of_the_two_parts() -> None:
    kept, split_off = split_off_validation(train(100), seed=0)
    assert (len(kept.rows), len(split_off.rows)) == (90, 10)
    assert {*kept.rows, *split_off.rows} == set(train(100).rows)
    assert (kept.split, split_off.split) == ("train", "validation")


def test_the_seed_decides_which_rows() -> None:
    first, same, other = (split_off_validation(train(100), seed)[1].rows for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_of_many_rows_no_more_are_taken_than_tell_an_accuracy() -> None:
    assert len(split_off_validation(train(20 * MOST_ROWS), seed=0)[1].rows) == MOST_ROWS


def test_a_single_row_cannot_be_split() -> None:
    with pytest.raises(DataError, match="has 1 rows; give at least two"):
        split_off_validation(train(1), seed=0)


def test_rows_of_one_label_are_refused() -> None:
    rows = tuple(Row(str(i), None, 1) for i in range(20))
    with pytest.raises(DataError, match="All rows of the train split of 'films' have the same label; give rows"):
        split_off_validation(Split("films", "train", rows), seed=0)


def test_rows_of_one_label_measure_nothing_and_a_single_row_is_left_to_who_gives_it() -> None:
    rows = tuple(Row(str(i), None, 1) for i in range(20))
    with pytest.raises(DataError, match="All 20 rows of the dev split of 'films' have the same label"):
        check_measurable(Split("films", "dev", rows))
    check_measurable(Split("films", "dev", rows[:1]))
    check_measurable(Split("films", "dev", (*rows, Row("other", None, 0))))


def test_more_rows_are_moved_until_there_is_the_share_that_was_asked_for() -> None:
    kept, split_off = split_off_validation(train(100), seed=0)
    fewer, more = with_validation_share(kept, split_off, 0.3, seed=0)
    assert (len(fewer.rows), len(more.rows)) == (70, 30)
    assert {*fewer.rows, *more.rows} == set(train(100).rows)
    assert more.rows[:10] == split_off.rows
    assert (fewer, more) == with_validation_share(kept, split_off, 0.3, seed=0)


def test_where_there_are_enough_rows_to_choose_by_none_are_moved() -> None:
    parts = split_off_validation(train(100), seed=0)
    assert with_validation_share(*parts, 0.0, seed=0) == with_validation_share(*parts, 0.1, seed=0) == parts
