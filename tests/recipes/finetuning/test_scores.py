import pytest

from recipes.finetuning.scores import f1, scores_of, wilson

# 20 rows: 6 right and 2 wrong of class 1, 9 right and 3 wrong of class 0.
TARGETS = [1] * 8 + [0] * 12
ANSWERS = [1] * 6 + [0] * 2 + [0] * 9 + [1] * 3


@pytest.mark.parametrize(
    ("correct", "n", "expected"),
    # Newcombe 1998, table I, and the ends.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (29, 29, (0.8830, 1.0))],
)
def test_the_interval_is_wilsons(correct: int, n: int, expected: tuple[float, float]) -> None:
    assert wilson(correct, n) == pytest.approx(expected, abs=5e-5)


def test_two_classes_have_matthews_correlation_and_f1_beside_the_accuracy() -> None:
    scores = scores_of(ANSWERS, TARGETS, labels=2)
    assert (scores.n, scores.correct, scores.accuracy) == (20, 15, 0.75)
    assert scores.interval_95 == wilson(15, 20)
    assert scores.f1 == pytest.approx(2 * 6 / (2 * 6 + 3 + 2))
    # The correlation of the two columns, by its definition.
    covariance = 6 / 20 - (9 / 20) * (8 / 20)
    assert scores.matthews == pytest.approx(covariance / (9 / 20 * 11 / 20 * 8 / 20 * 12 / 20) ** 0.5)


def test_three_classes_have_an_accuracy_alone() -> None:
    scores = scores_of([0, 1, 2, 2], [0, 1, 2, 1], labels=3)
    assert (scores.accuracy, scores.matthews, scores.f1) == (0.75, None, None)


def test_without_an_answer_of_the_second_class_f1_is_nothing_and_with_right_answers_alone_it_is_one() -> None:
    assert f1([(0, 0), (0, 0)]) == 0.0
    assert f1([(0, 0), (1, 1)]) == 1.0
