from collections.abc import Sequence
from typing import Any

import pytest

from model_store.errors import DataError, UnsupportedCheckpoint
from model_store.rows import Row, Split
from recipes.finetuning.labels import Labels, label_value, labels_of, teacher_order

GENERIC = ("LABEL_0", "LABEL_1")
SENTIMENT = ("negative", "positive")


def train(*values: str) -> Split:
    return Split("films", "train", tuple(Row("a", None, value) for value in values))


@pytest.mark.parametrize(
    ("values", "known", "expected"),
    [
        (("1", "0", "1"), [], GENERIC),
        (("good", "bad", "good"), [], ("bad", "good")),
        (("good", "bad", "Good"), [GENERIC], ("bad", "good")),
        (("1", "0"), [SENTIMENT], SENTIMENT),
        (("Negative", "Positive"), [("positive", "negative")], ("positive", "negative")),
        (("0", "1"), [GENERIC, SENTIMENT], SENTIMENT),
        (("good", "bad"), [SENTIMENT], ("bad", "good")),
        (("0", "1", "2") * 3, [SENTIMENT], ("LABEL_0", "LABEL_1", "LABEL_2")),
        (("1", "2", "10") * 3, [], ("1", "2", "10")),
        (("0", "2") * 3, [], ("0", "2")),
    ],
    ids=str,
)
def test_classes_are_the_datas_and_models_name_them_where_they_fit(
    values: tuple[str, ...], known: Sequence[Labels], expected: Labels
) -> None:
    assert labels_of(train(*values), known) == expected


def test_data_of_one_class_is_refused() -> None:
    with pytest.raises(
        DataError, match="All rows of split 'train' of 'films' have label '1'; give rows of two classes"
    ):
        labels_of(train("1", "1"), [])


def test_a_column_that_holds_no_classes_is_refused() -> None:
    with pytest.raises(DataError, match=r"50 different labels in 50 rows, such as '0.0'; name the column of classes"):
        labels_of(train(*(f"{i / 10}" for i in range(50))), [])


@pytest.mark.parametrize(("value", "expected"), [("good", "good"), (" 1 ", "1"), (3, "3")])
def test_a_label_is_a_name_or_a_whole_number(value: Any, expected: str) -> None:
    assert label_value(value) == expected


@pytest.mark.parametrize(
    ("value", "message"), [(None, "label None"), (" ", "label ' '"), (0.5, "label 0.5"), (-1, "none")]
)
def test_what_is_no_label_is_told(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        label_value(value)


@pytest.mark.parametrize(
    ("taught", "labels", "expected"),
    [
        (SENTIMENT, SENTIMENT, [0, 1]),
        (("Positive", "Negative"), SENTIMENT, [1, 0]),
        (GENERIC, SENTIMENT, [0, 1]),
        (SENTIMENT, GENERIC, [0, 1]),
    ],
)
def test_the_teachers_answers_are_put_into_the_order_of_the_labels(
    taught: Labels, labels: Labels, expected: list[int]
) -> None:
    assert teacher_order("big", taught, labels) == expected


@pytest.mark.parametrize("taught", [("good", "bad"), ("LABEL_0", "LABEL_1", "LABEL_2"), ("negative",)])
def test_a_teacher_with_other_labels_is_refused(taught: Labels) -> None:
    with pytest.raises(
        UnsupportedCheckpoint, match=r"Teacher 'big' knows the labels .*, but the data has negative, pos"
    ):
        teacher_order("big", taught, SENTIMENT)
